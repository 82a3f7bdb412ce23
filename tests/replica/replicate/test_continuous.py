"""Replication that goes on: what changes arrives, interruptions pass, it can be stopped."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from couchmend.core.document import Doc
from couchmend.errors import NotFound, ReplicaError, Unavailable
from couchmend.replica.base import Replica
from couchmend.replica.couch import CouchReplica
from couchmend.replica.embedded import EmbeddedReplica, Folder
from couchmend.replica.http_face.server import BackgroundServer
from couchmend.replica.replicate import Summary, batches, keep_replicating, replicate, session
from couchmend.settings import ReplicaServer
from tests.cli.serving import free_port


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "HEARTBEAT_SECONDS", 0.2)


class Running:
    """A replication in a thread."""

    def __init__(self, source: Replica, target: Replica) -> None:
        self.stop = threading.Event()
        self.problems: list[ReplicaError] = []
        self.ended: Summary | ReplicaError | None = None

        def run() -> None:
            try:
                self.ended = keep_replicating(
                    source,
                    target,
                    stop=self.stop,
                    on_problem=lambda problem, pause: self.problems.append(problem),
                )
            except ReplicaError as problem:
                self.ended = problem

        self.thread = threading.Thread(target=run)
        self.thread.start()

    def finish(self) -> Summary:
        self.stop.set()
        self.thread.join(30)
        assert isinstance(self.ended, Summary)
        return self.ended


@contextmanager
def running(source: Replica, target: Replica) -> Iterator[Running]:
    one = Running(source, target)
    try:
        yield one
    finally:
        one.stop.set()
        one.thread.join(30)
        assert not one.thread.is_alive()


def until(holds: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def has(replica: Replica, id: str) -> bool:
    try:
        replica.get(id)
    except NotFound:
        return False
    return True


def test_what_is_written_arrives_until_it_is_stopped() -> None:
    with EmbeddedReplica.open(":memory:") as source, EmbeddedReplica.open(":memory:") as target:
        source.put({"_id": "before"})
        with running(source, target) as one:
            until(lambda: has(target, "before"))
            for n in range(5):
                source.put({"_id": f"d{n}"})
                until(lambda n=n: has(target, f"d{n}"))  # type: ignore[misc]
            summary = one.finish()
        assert summary.progress.docs_written == 6
        assert one.problems == []
        source.put({"_id": "after"})
        assert not has(target, "after")


def test_a_checkpoint_is_noted_while_nothing_happens() -> None:
    with EmbeddedReplica.open(":memory:") as source, EmbeddedReplica.open(":memory:") as target:
        source.put({"_id": "a"})
        with running(source, target):
            until(lambda: target.local_docs() != [] and source.local_docs() != [])
            (log,) = source.local_docs()
            assert log["source_last_seq"] == source.info().update_seq


@pytest.mark.parametrize("serves", ["source", "target"])
def test_a_server_that_goes_and_comes_back(tmp_path: Path, serves: str) -> None:
    port = free_port()
    folder = Folder(tmp_path)
    folder.create("served")
    settings = ReplicaServer(port=port)
    url = f"http://127.0.0.1:{port}/served"
    with EmbeddedReplica.open(":memory:") as local:
        with BackgroundServer(folder, settings):
            remote = CouchReplica.open(url)
            source, target = (remote, local) if serves == "source" else (local, remote)
            one = Running(source, target)
            source.put({"_id": "first"})
            until(lambda: has(target, "first"))
        if serves == "source":
            folder.open("served").put({"_id": "second"})
        else:
            local.put({"_id": "second"})
        until(lambda: one.problems != [])
        assert all(isinstance(problem, Unavailable) for problem in one.problems)
        with BackgroundServer(folder, settings):
            until(lambda: has(target, "second"))
            one.finish()
            remote.close()
    folder.close()


def test_a_failure_that_will_not_pass_ends_it(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.create("served")
    with (
        EmbeddedReplica.open(":memory:") as target,
        BackgroundServer(folder, ReplicaServer(port=0)) as server,
        CouchReplica.open(f"{server.url}/served") as source,
        running(source, target) as one,
    ):
        source.put({"_id": "a"})
        until(lambda: has(target, "a"))
        folder.delete("served")
        until(lambda: one.ended is not None)
        assert isinstance(one.ended, NotFound)
    folder.close()


def test_it_can_be_stopped_in_the_middle_of_a_catch_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "BATCH_DOCS", 10)
    stop = threading.Event()
    with EmbeddedReplica.open(":memory:") as source, EmbeddedReplica.open(":memory:") as target:
        source.bulk_docs([{"_id": f"d{n}"} for n in range(3000)])
        summary = keep_replicating(
            source, target, stop=stop, on_progress=lambda progress: stop.set()
        )
        assert summary.progress.docs_written == 10
        # What it had done is not done again, up to the last page that was whole.
        assert replicate(source, target).progress.docs_written == 2990


def test_a_side_that_is_away_at_first_is_waited_for() -> None:
    class Away(EmbeddedReplica):
        away = 1

        def get_local(self, name: str) -> Doc:
            if self.away:
                self.away -= 1
                raise Unavailable("not yet", transient=True)
            return super().get_local(name)

    with Away.open(":memory:") as source, EmbeddedReplica.open(":memory:") as target:
        source.put({"_id": "a"})
        with running(source, target) as one:
            until(lambda: has(target, "a"))
        assert [problem.args[0] for problem in one.problems] == ["not yet"]
