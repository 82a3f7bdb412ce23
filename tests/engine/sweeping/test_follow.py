"""What changes is swept soon; databases of a server that come and go are noticed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from couchmend.engine.engine import Engine
from couchmend.engine.hooks import Hooks
from couchmend.engine.sweeping.ears import FEW, Ear, OfServer
from couchmend.engine.sweeping.report import SweepReport
from couchmend.errors import Forbidden, Unavailable
from couchmend.events import DatabaseSeen, Event
from couchmend.journal.opening import open_journal
from couchmend.policies import Policies
from couchmend.replica.base import DatabaseState, Heartbeat, Rows, Server, ServerUpdate
from couchmend.replica.embedded import EmbeddedReplica, Folder
from couchmend.settings import Database, Settings, Work
from tests.contract.backends import WITH_SERVER, new_name, opened
from tests.engine.sites import fork
from tests.engine.swept import house, live, task


def eventually(what: Callable[[], bool], seconds: float = 30.0) -> None:
    """Hold that something comes true."""
    until = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < until, "it did not come true"
        time.sleep(0.02)


def mergeable(replica: Any, id: str) -> None:
    fork(replica, id, task(), task(title="read"), task(notes="soon"))


@contextmanager
def following(engine: Engine) -> Iterator[list[SweepReport]]:
    """An engine that follows everything."""
    reports: list[SweepReport] = []
    stop = threading.Event()
    thread = threading.Thread(
        target=engine.follow, args=(stop,), kwargs={"on_swept": reports.append}
    )
    thread.start()
    try:
        yield reports
    finally:
        began = time.monotonic()
        stop.set()
        thread.join(20)
        assert not thread.is_alive()
        assert time.monotonic() - began < 5


def test_what_changes_is_resolved_soon_and_a_burst_is_few_sweeps() -> None:
    home = house()
    with home.engine() as engine, following(engine) as reports:
        eventually(lambda: len(reports) >= 1)
        mergeable(home.replica, "a")
        eventually(lambda: len(live(home.replica, "a")) == 1)
        before = len(reports)
        home.replica.bulk_docs([{"_id": "burst"}])
        for _ in range(200):
            home.replica.put(home.replica.get("burst"))
        time.sleep(1.0)
        assert len(reports) - before < 20
    home.close()
    home.replica.close()


def test_what_falls_due_is_swept_without_a_change(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("couchmend.engine.sweeping.follow._DUE_EVERY_SECONDS", 0.1)
    home = house()
    mergeable(home.replica, "a")
    home.sweep(mode="suggest")
    with home.engine() as engine:
        engine.snooze(home.open()["a"].id, home.clock.now() + 600_000_000, by="ann")
        with following(engine) as reports:
            eventually(lambda: len(reports) >= 1)
            time.sleep(0.5)
            assert len(live(home.replica, "a")) == 2
            home.clock.ahead = 700_000_000
            eventually(lambda: len(live(home.replica, "a")) == 1)
    home.close()
    home.replica.close()


@pytest.mark.parametrize("name", WITH_SERVER)
@pytest.mark.parametrize("many", [False, True], ids=["few", "many"])
def test_databases_of_a_server_come_and_go(name: str, many: bool, tmp_path: Path) -> None:
    prefix = new_name()
    with opened(name, tmp_path / "databases") as backend:
        server = backend.server()
        assert server is not None
        names = [f"{prefix}-{number}" for number in range(FEW + 2 if many else 2)]
        for each in names:
            server.create(each).close()
        journal = open_journal(f"sqlite:///{tmp_path / 'journal.db'}")
        address = _address(server)
        entry = Database(url=f"{address}/{prefix}-*", mode="auto")
        work = Work(refresh_seconds=1.0, poll_seconds=0.3)
        events: list[Event] = []
        try:
            with Engine(
                Settings(databases=(entry,), engine=work),
                policies=Policies(),
                journal=journal,
                hooks=Hooks(),
            ) as engine:
                engine.events.subscribe(events.append)
                with following(engine) as reports:
                    eventually(lambda: {one.database for one in reports} >= _urls(engine))
                    with server.open(names[0]) as replica:
                        mergeable(replica, "a")
                    eventually(lambda: _is_merged(server, names[0]))
                    server.create(f"{prefix}-new").close()
                    with server.open(f"{prefix}-new") as replica:
                        mergeable(replica, "b")
                    eventually(lambda: _is_merged(server, f"{prefix}-new", "b"))
                    server.delete(names[1])
                    eventually(lambda: ("vanished", names[1]) in _seen(events))
                    server.create(names[1]).close()
                    with server.open(names[1]) as replica:
                        mergeable(replica, "a")
                    eventually(lambda: _is_merged(server, names[1]))
                assert ("appeared", f"{prefix}-new") in _seen(events)
        finally:
            journal.close()
            for each in [*names, f"{prefix}-new"]:
                if each in server.names():
                    server.delete(each)


def _address(server: Server) -> str:
    from tests.contract.backends import COUCHDB_URL

    is_couchdb = COUCHDB_URL and server.url.rsplit(":", 1)[1] == COUCHDB_URL.rsplit(":", 1)[1]
    return COUCHDB_URL.rstrip("/") if is_couchdb else server.url


def _urls(engine: Engine) -> set[str]:
    return {one.name for one in engine.targets()}


def _is_merged(server: Server, name: str, id: str = "a") -> bool:
    replica = server.open(name)
    try:
        return len(live(replica, id)) == 1
    finally:
        if not isinstance(server, Folder):
            replica.close()


def _seen(events: list[Event]) -> set[tuple[str, str]]:
    return {
        (one.change, one.database.rpartition("/")[2].removesuffix(".couch"))
        for one in events
        if isinstance(one, DatabaseSeen)
    }


def test_a_file_that_another_process_writes(tmp_path: Path) -> None:
    file = tmp_path / "notes.couch"
    with EmbeddedReplica.open(str(file)) as ours:
        ours.put({"_id": "first"})
    journal = open_journal("sqlite://")
    entry = Database(url=f"file:{file}", name="notes", mode="auto")
    with (
        Engine(
            Settings(databases=(entry,)), policies=Policies(), journal=journal, hooks=Hooks()
        ) as engine,
        following(engine) as reports,
        EmbeddedReplica.open(str(file)) as theirs,
    ):
        eventually(lambda: len(reports) >= 1)
        mergeable(theirs, "a")
        eventually(lambda: len(live(theirs, "a")) == 1)
    journal.close()


class Scripted(Server):
    """A server that tells what it is told to."""

    url = "http://scripted"

    def __init__(self, problem: Exception | None) -> None:
        self.problem = problem
        self.asked = 0

    def names(self) -> list[str]:
        return ["a"]

    def states(self, names: Any) -> dict[str, DatabaseState]:
        self.asked += 1
        return {name: DatabaseState(name, f"{self.asked // 2}-x", "0") for name in names}

    def updates(
        self, since: str = "now", *, heartbeat_seconds: float = 60.0
    ) -> Rows[ServerUpdate | Heartbeat]:
        if self.problem is not None:
            raise self.problem
        yield Heartbeat()
        yield ServerUpdate("1", "a", "updated")
        yield ServerUpdate("2", "strange", "updated")

    def open(self, name: str) -> Any:
        raise NotImplementedError

    def create(self, name: str) -> Any:
        raise NotImplementedError

    def delete(self, name: str) -> None: ...

    def close(self) -> None: ...


def test_a_server_that_tells_is_not_asked() -> None:
    server = Scripted(None)
    assert list(OfServer(server, {"a": "A"}, 0.01).hear()) == [None, "A", None]
    assert server.asked == 0


@pytest.mark.parametrize("problem", [Forbidden("admins only"), Unavailable("x", transient=False)])
def test_a_server_that_does_not_tell_is_asked(problem: Exception) -> None:
    server = Scripted(problem)
    heard = OfServer(server, {"a": "A"}, 0.01).hear()
    assert "A" in [next(heard) for _ in range(20)]
    assert server.asked > 1


def test_who_listens_tries_again_and_wakes_everything_once_it_hears() -> None:
    woken: list[str] = []
    tries = 0

    def hear() -> Iterator[str | None]:
        nonlocal tries
        tries += 1
        if tries < 3:
            raise Unavailable("not yet", transient=True)
        yield None
        yield "b"

    ear = Ear(hear, woken.append, ["a", "b"])
    eventually(lambda: len(woken) >= 3)
    ear.end()
    ear.join(5)
    assert woken[:3] == ["a", "b", "b"]
