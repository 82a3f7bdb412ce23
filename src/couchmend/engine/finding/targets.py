"""Which databases are meant: one, those of a whole server or folder, or those of a pattern."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast
from urllib.parse import unquote

from couchmend import settings
from couchmend.errors import CouchmendError, DatabaseNotFound, UsageError, without_credentials
from couchmend.replica.base import Replica, Server
from couchmend.replica.opening import open_replica, open_server

if TYPE_CHECKING:
    from couchmend.core.conflicts.eligibility import Mode
    from couchmend.replica.couch.connection.servers import Servers

ANY = "*"


class Entry(Protocol):
    """What the configuration says of one database, or of several."""

    @property
    def url(self) -> str:
        """Where it is, or they are."""

    @property
    def name(self) -> str | None:
        """What one is called, where it has a name of its own."""

    @property
    def mode(self) -> str:
        """What may be done there."""

    @property
    def policy(self) -> Sequence[str]:
        """The policies to choose from; none for all that say what they match."""

    @property
    def rollout(self) -> float:
        """The percentage of documents that are resolved automatically."""

    @property
    def exclude(self) -> Sequence[str]:
        """Databases of a server that are left out."""

    @property
    def only_us(self) -> bool:
        """Whether nobody else resolves conflicts there."""


@dataclass(frozen=True, slots=True)
class Address:
    """Databases that are named by their address only, as on a command line."""

    url: str = field(repr=False)
    name: str | None = None
    mode: str = "observe"
    policy: Sequence[str] = ()
    rollout: float = 100.0
    exclude: Sequence[str] = ()
    only_us: bool = False


@dataclass(frozen=True, slots=True)
class Target:
    """One database.

    name: what the journal, the logs and the commands call it: its configured name, or its URL.
    database: what it is called where it lives.
    url: where it lives, without credentials.
    server: whose limits it shares; its own URL for a file.
    policies: the names of those to choose from; None for all that say what they match.
    address: its URL with the credentials that were given in it.
    """

    name: str
    database: str
    url: str
    server: str
    mode: Mode = "observe"
    policies: tuple[str, ...] | None = None
    rollout: float = 100.0
    only_us: bool = False
    address: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Seen:
    """What is another than when the databases were listed last.

    unreachable: of servers that do not tell which databases they have, and why; those that
        were known there are still taken to be there.
    """

    appeared: tuple[Target, ...]
    vanished: tuple[Target, ...]
    unreachable: tuple[tuple[str, CouchmendError], ...] = ()


class Watched:
    """The databases that some entries mean, as they come and go.  Usable from several threads;
    close it, or use it in a `with`: its replicas are closed with it."""

    def __init__(
        self, entries: Iterable[Entry], servers: Sequence[settings.Server] | Servers = ()
    ) -> None:
        """servers: how to talk to CouchDBs; see `open_replica`.

        Raises:
            UsageError: an address is none.
        """
        self._given = servers
        self._places = [_Place.of(entry) for entry in entries]
        self._targets: dict[str, Target] = {}
        self._opened: dict[str, Server] = {}
        self._replicas: dict[str, Replica] = {}
        self._lock = threading.RLock()

    @property
    def targets(self) -> tuple[Target, ...]:
        """Those that were there when `refresh` looked last, in the order of the entries."""
        return tuple(self._targets.values())

    def refresh(self) -> Seen:
        """Look which databases there are.  Those that are named one by one are never asked for:
        that they are not there is told when they are opened."""
        with self._lock:
            before = self._targets
            found: dict[str, Target] = {}
            unreachable = []
            for place in self._places:
                try:
                    targets = list(self._of(place))
                except CouchmendError as problem:
                    unreachable.append((place.shown, problem))
                    targets = [one for one in before.values() if place.has(one)]
                for one in targets:
                    found.setdefault(one.url, one)
            self._targets = found
            return Seen(
                tuple(one for url, one in found.items() if url not in before),
                tuple(one for url, one in before.items() if url not in found),
                tuple(unreachable),
            )

    def open(self, target: Target) -> Replica:
        """A database.  It stays open until this is closed; those of one server share its
        connections.

        Raises:
            DatabaseNotFound: it is not there.
            UsageError: a file that its server's entry names cannot be used.
            Unavailable, Unauthorized, Forbidden: it cannot be opened.
        """
        for place in self._places:
            if place.pattern is not None and place.has(target):
                return self._server(place).open(target.database)
        with self._lock:
            found = self._replicas.get(target.url)
            if found is not None and self._is_current(target, found):
                return found
        path = _path(target.address, "file:")
        if path is not None and not path.is_file():
            raise DatabaseNotFound(target.url, hint="check the path")
        opened = open_replica(target.address, create=False, servers=self._servers(target.url))
        with self._lock:
            return self._keep(target, opened)

    def known_as(self, target: Target) -> Target | None:
        """What the entries say of a database that was found otherwise; None where they leave
        it out."""
        for place in self._places:
            if place.has(target):
                known = place.target(target.address, target.database, target.url)
                with self._lock:
                    return self._targets.setdefault(known.url, known)
        return None

    def server(self, target: Target) -> Server | None:
        """The server or folder of which a database is one; None where it was named by itself."""
        for place in self._places:
            if place.pattern is not None and place.has(target):
                return self._server(place)
        return None

    def _keep(self, target: Target, opened: Replica) -> Replica:
        """The one that all have, where several were opened at once or before."""
        found = self._replicas.get(target.url)
        if found is not None and self._is_current(target, found):
            opened.close()
            return found
        if found is not None:
            found.close()
        self._replicas[target.url] = opened
        return opened

    def _is_current(self, target: Target, replica: Replica) -> bool:
        """Whether the file is still the one that was opened."""
        if _path(target.address, "file:") is None:
            return True
        from couchmend.replica.embedded import EmbeddedReplica

        return not isinstance(replica, EmbeddedReplica) or replica.is_current()

    def close(self) -> None:
        """Release every server, with the replicas that were opened there."""
        with self._lock:
            held: list[Replica | Server] = [*self._replicas.values(), *self._opened.values()]
            for opened in held:
                opened.close()
            self._replicas.clear()
            self._opened.clear()

    def __enter__(self) -> Watched:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _servers(self, url: str) -> Sequence[settings.Server] | Servers:
        """One object for all databases, which then share the limits of their servers."""
        if not url.startswith("http"):
            return ()
        from couchmend.replica.couch.connection.servers import Servers

        with self._lock:
            if not isinstance(self._given, Servers):
                self._given = Servers(self._given)
            return self._given

    def _of(self, place: _Place) -> Iterator[Target]:
        if place.pattern is None:
            yield place.target(place.address, place.database, place.shown)
            return
        for name in self._server(place).names():
            if place.takes(name):
                address, url = place.beneath(name)
                yield place.target(address, name, url)

    def _server(self, place: _Place) -> Server:
        with self._lock:
            found = self._opened.get(place.address)
            if found is None:
                path = _path(place.address, "dir:")
                if path is not None and not path.is_dir():
                    raise DatabaseNotFound(place.address, hint="there is no such folder")
                found = open_server(place.address, servers=self._servers(place.shown))
                self._opened[place.address] = found
            return found


@dataclass(frozen=True, slots=True)
class _Place:
    """Where one entry points.

    address: of the database, or of the server or folder, with credentials.
    shown: it without credentials.
    pattern: which databases of the server are meant; None where it is one database.
    """

    entry: Entry
    address: str = field(repr=False)
    shown: str
    server: str
    pattern: str | None
    database: str = ""

    @classmethod
    def of(cls, entry: Entry) -> _Place:
        url = entry.url
        scheme, colon, rest = url.partition(":")
        match scheme.lower() if colon else "":
            case "file" if rest:
                file = f"file:{Path(rest).resolve()}"
                return cls(entry, file, file, file, None, Path(rest).stem)
            case "dir" if rest:
                path, pattern = _folder(rest)
                folder = f"dir:{Path(path).resolve()}"
                return cls(entry, folder, folder, folder, pattern)
            case "http" | "https":
                return cls._on_a_server(entry)
        kind = "dir" if Path(url).is_dir() else "file"
        shown = url if Path(url).exists() else without_credentials(url)
        raise UsageError(
            "this names no database",
            target=shown,
            hint=f"say {kind}:{shown} for a path, http(s)://host/db for a database of a CouchDB,"
            " http(s)://host for all of them",
        )

    @classmethod
    def _on_a_server(cls, entry: Entry) -> _Place:
        from couchmend.replica.couch.connection.address import Address

        parsed = Address.parse(entry.url)
        last = parsed.path.rpartition("/")[2]
        name = unquote(last)
        if last and ANY not in name:
            return cls(entry, entry.url, parsed.url, parsed.origin.url, None, name)
        at = entry.url.rstrip("/")
        address = at[: len(at) - len(last)].rstrip("/") if last else at
        shown = parsed.url[: len(parsed.url) - len(last)].rstrip("/") if last else parsed.url
        return cls(entry, address, shown, parsed.origin.url, name or ANY)

    def takes(self, name: str) -> bool:
        """Whether a database of the server is meant: a system's only where it is named."""
        pattern = self.pattern or ANY
        if name.startswith("_") and not pattern.startswith("_"):
            return False
        return _matches(name, pattern) and not any(
            _matches(name, out) for out in self.entry.exclude
        )

    def has(self, target: Target) -> bool:
        """Whether a target is one of those that are meant here."""
        if self.pattern is None:
            return target.url == self.shown
        return target.url == self.beneath(target.database)[1] and self.takes(target.database)

    def beneath(self, name: str) -> tuple[str, str]:
        """The address of a database of the server, and its URL."""
        if self.address.startswith("dir:"):
            from couchmend.replica.embedded.folder import SUFFIX

            path = Path(self.address.removeprefix("dir:"), name.replace("/", "%2F") + SUFFIX)
            return f"file:{path}", f"file:{path}"
        from couchmend.replica.couch.connection.address import quoted

        return f"{self.address}/{quoted(name)}", f"{self.shown}/{quoted(name)}"

    def target(self, address: str, name: str, url: str) -> Target:
        entry = self.entry
        own = entry.name if self.pattern is None else None
        return Target(
            name=own or url,
            database=name,
            url=url,
            server=self.server,
            mode=cast("Mode", entry.mode),
            policies=tuple(entry.policy) or None,
            rollout=entry.rollout,
            only_us=entry.only_us,
            address=address,
        )


def _path(address: str, scheme: str) -> Path | None:
    return Path(address.removeprefix(scheme)) if address.startswith(scheme) else None


def _folder(path: str) -> tuple[str, str]:
    """A folder, and which of its databases are meant."""
    parent, slash, last = path.rstrip("/").rpartition("/")
    if ANY in last and not Path(path).is_dir():
        return (parent or slash or "."), unquote(last)
    return path.rstrip("/") or path, ANY


def _matches(name: str, pattern: str) -> bool:
    """Whether a name is of a pattern, in which only `*` stands for anything else."""
    return fnmatchcase(name, pattern.replace("[", "[[]").replace("?", "[?]"))
