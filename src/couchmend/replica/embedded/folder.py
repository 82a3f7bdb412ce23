"""A folder of embedded replicas, by CouchDB's rules for database names."""

from __future__ import annotations

import itertools
import queue
import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from couchmend.errors import BadRequest, DatabaseNotFound, PreconditionFailed, Unavailable
from couchmend.replica.base import (
    DatabaseState,
    Heartbeat,
    Rows,
    Server,
    ServerUpdate,
    Validator,
)
from couchmend.replica.embedded.database import EmbeddedReplica
from couchmend.replica.embedded.limits import Limits

SUFFIX = ".couch"
SYSTEM_DATABASES = ("_global_changes", "_replicator", "_users")
MAX_AWAKE = 128
"""How many databases of a folder keep their files open at once."""

_NAME = re.compile(r"[a-z][a-z0-9_$()+/-]*")
_MAX_NAME = 238  # as in CouchDB; a slash takes three characters in the file's name

Event = Callable[[str, str], None]
"""Called with a database's name and `created`, `updated` or `deleted`."""


class Folder(Server):
    """Databases as the files `<name>.couch` of a folder.

    Every user of one `Folder` gets the same replica for a name; it stays open until the
    folder is closed.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        limits: Limits | None = None,
        validators: Sequence[Validator] = (),
    ) -> None:
        self.path = Path(path)
        self.url = f"dir:{self.path}"
        self._limits = limits or Limits()
        self._validators = validators
        self._lock = threading.RLock()
        self._open: OrderedDict[str, EmbeddedReplica] = OrderedDict()
        self._listeners: list[Event] = []
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as problem:
            raise Unavailable(
                str(problem), operation="open", target=self.url, hint="name a writable folder"
            ) from problem

    def names(self) -> list[str]:
        return sorted(
            name
            for file in self.path.glob(f"*{SUFFIX}")
            if is_database_name(name := file.name.removesuffix(SUFFIX).replace("%2F", "/"))
        )

    def states(self, names: Iterable[str]) -> dict[str, DatabaseState]:
        found = {}
        for name in names:
            with suppress(DatabaseNotFound):
                told = self.open(name).info()
                found[name] = DatabaseState(name, told.update_seq, told.instance_start_time)
        return found

    def updates(
        self, since: str = "now", *, heartbeat_seconds: float = 60.0
    ) -> Rows[ServerUpdate | Heartbeat]:
        """See `Server.updates`.  It begins now whatever `since` says: nothing is remembered."""
        happened: queue.SimpleQueue[tuple[str, str]] = queue.SimpleQueue()
        end = self.subscribe(lambda name, kind: happened.put((name, kind)))
        return self._updates(happened, end, heartbeat_seconds)

    def _updates(
        self,
        happened: queue.SimpleQueue[tuple[str, str]],
        end: Callable[[], None],
        heartbeat_seconds: float,
    ) -> Rows[ServerUpdate | Heartbeat]:
        try:
            for number in itertools.count(1):
                try:
                    name, kind = happened.get(timeout=heartbeat_seconds)
                except queue.Empty:
                    yield Heartbeat()
                    continue
                yield ServerUpdate(str(number), name, kind)
        finally:
            end()

    def open(self, name: str) -> EmbeddedReplica:
        with self._lock:
            replica = self._open.get(name)
            if replica is not None:
                if replica.is_current():
                    self._open.move_to_end(name)
                    if not replica.is_awake():
                        self._let_others_rest()
                    return replica
                self._open.pop(name).close()
            file = self._file(name)
            if not is_database_name(name) or not file.is_file():
                raise DatabaseNotFound(name)
            return self._keep(name, file)

    def create(self, name: str) -> EmbeddedReplica:
        check_database_name(name)
        file = self._file(name)
        with self._lock:
            try:
                file.touch(exist_ok=False)
            except FileExistsError as problem:
                raise PreconditionFailed(
                    "The database could not be created, the file already exists.",
                    error="file_exists",
                    target=name,
                ) from problem
            except OSError as problem:
                raise Unavailable(str(problem), operation="create", target=name) from problem
            replica = self._keep(name, file)
        self._tell(name, "created")
        return replica

    def delete(self, name: str) -> None:
        with self._lock:
            file = self._file(name)
            if not is_database_name(name) or not file.is_file():
                raise DatabaseNotFound(name)
            replica = self._open.pop(name, None)
            if replica is not None:
                replica.close()
            for part in ("", "-wal", "-shm"):
                with suppress(FileNotFoundError):
                    Path(f"{file}{part}").unlink()
        self._tell(name, "deleted")

    def subscribe(self, listener: Event) -> Callable[[], None]:
        """Call `listener`, from any thread, when a database is created, deleted, or written
        through this folder; the result ends it."""
        with self._lock:
            self._listeners.append(listener)

        def unsubscribe() -> None:
            with self._lock, suppress(ValueError):
                self._listeners.remove(listener)

        return unsubscribe

    def close(self) -> None:
        with self._lock:
            while self._open:
                self._open.popitem()[1].close()

    def _keep(self, name: str, file: Path) -> EmbeddedReplica:
        replica = EmbeddedReplica.open(
            file,
            name=name,
            limits=self._limits,
            validators=self._validators,
            on_commit=lambda: self._tell(name, "updated"),
        )
        self._open[name] = replica
        self._let_others_rest()
        return replica

    def _let_others_rest(self) -> None:
        for other in list(self._open.values())[:-MAX_AWAKE]:
            other.rest()

    def _file(self, name: str) -> Path:
        return self.path / (name.replace("/", "%2F") + SUFFIX)

    def _tell(self, name: str, event: str) -> None:
        for listener in list(self._listeners):
            listener(name, event)


def is_database_name(name: str) -> bool:
    """Whether CouchDB allows a database to be called so."""
    return name in SYSTEM_DATABASES or (
        len(name) <= _MAX_NAME
        and _NAME.fullmatch(name) is not None
        and len(name.replace("/", "%2F")) + len(SUFFIX) + len("-wal") <= 255
    )


def check_database_name(name: str) -> None:
    """Raises `BadRequest`, as CouchDB words it, for a name that it does not allow."""
    if _NAME.fullmatch(name) and not is_database_name(name):
        raise BadRequest(
            f"At least one path segment of `{name}` is too long.", error="database_name_too_long"
        )
    if not is_database_name(name):
        raise BadRequest(
            f"Name: '{name}'. Only lowercase characters (a-z), digits (0-9), and any of the"
            " characters _, $, (, ), +, -, and / are allowed. Must begin with a letter.",
            error="illegal_database_name",
        )
