"""`kill -9` in the middle of a replication: nothing is lost, and no checkpoint runs ahead."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from couchmend.core.document import Doc
from couchmend.errors import Unavailable
from couchmend.replica.base import ChangesQuery, Replica
from couchmend.replica.couch import CouchReplica, Options
from couchmend.replica.couch.connection.retries import Retries
from couchmend.replica.opening import open_replica, open_server
from couchmend.replica.replicate import batches, replicate, session
from tests.cli.serving import free_port, serving
from tests.replica.replicate.leaves import leaves_of_all

KILLS = 100
LATEST_SECONDS = 0.15


@dataclass(frozen=True)
class Pair:
    """The addresses of both sides."""

    source: str
    target: str

    @contextmanager
    def opened(self) -> Iterator[tuple[Replica, Replica]]:
        with opened(self.source) as source, opened(self.target) as target:
            yield source, target


def opened(address: str) -> Replica:
    if address.startswith("http"):
        # A server that is killed here does not come back by itself.
        return CouchReplica.open(address, options=Options(retries=Retries(attempts=1)))
    return open_replica(address)


DIRECTIONS = ("pull", "push")


def pair_of(direction: str, path: Path, url: str) -> Pair:
    here, there = f"file:{path / 'here.couch'}", f"{url}/notes"
    return Pair(there, here) if direction == "pull" else Pair(here, there)


@pytest.fixture(autouse=True)
def many_pages_and_checkpoints(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "PAGE_ROWS", 10)
    monkeypatch.setattr(batches, "BATCH_DOCS", 4)
    monkeypatch.setattr(session, "CHECKPOINT_SECONDS", 0)


@pytest.fixture(params=DIRECTIONS)
def pair(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Pair]:
    with serving(tmp_path) as (_, url):
        with closing(open_server(url)) as server:
            server.create("notes")
        yield pair_of(request.param, tmp_path, url)


def edit(source: Replica, dice: random.Random) -> None:
    """What users do: new documents, edits, deletions, conflicts, attachments."""
    docs: list[Doc] = [{"_id": f"d{dice.randrange(10**9)}", "v": 0} for _ in range(20)]
    rows = [row for row in source.changes(ChangesQuery()).rows if not row.deleted]
    for row in dice.sample(rows, min(len(rows), 20)):
        kept = source.get(row.id).get("_attachments", {})
        docs.append({"_id": row.id, "_rev": row.revs[0], "v": 1, "_attachments": kept})
    docs += [
        {"_id": row.id, "_rev": row.revs[0], "_deleted": True}
        for row in dice.sample(rows, min(len(rows), 2))
    ]
    source.bulk_docs(docs)
    forks: list[Doc] = [
        {"_id": f"fork{dice.randrange(30)}", "_revisions": {"start": 2, "ids": [hash, "a"]}}
        for hash in (f"{dice.randrange(16**8):08x}" for _ in range(10))
    ]
    source.bulk_docs(forks, new_edits=False)
    for _ in range(3):
        content = dice.randbytes(dice.randrange(50_000))
        source.put_attachment(f"att{dice.randrange(10**9)}", "f", content, "x/x")


def killed(pair: Pair, dice: random.Random) -> bool:
    """One child that replicates until it is killed, or done; True when it was killed."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
            with pair.opened() as (source, target):
                replicate(source, target)
            status = 0
        finally:
            os._exit(status)
    time.sleep(dice.uniform(0.005, LATEST_SECONDS))
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0, "the child failed"
    return os.WIFSIGNALED(status)


def recorded(replica: Replica) -> int:
    """The change up to which a side's log says that everything is stored."""
    logs = [doc for doc in replica.local_docs() if "source_last_seq" in doc]
    return max((number(doc["source_last_seq"]) for doc in logs), default=0)


def number(seq: str) -> int:
    return int(seq.partition("-")[0])


def assert_no_checkpoint_runs_ahead(source: Replica, target: Replica) -> int:
    rows = source.changes(ChangesQuery(style="all_docs")).rows
    upto = max(recorded(source), recorded(target))
    promised = {row.id: row.revs for row in rows if number(row.seq) <= upto}
    assert target.revs_diff(promised) == {}
    return upto


def survive(pair: Pair, kills: int, seed: int) -> None:
    dice = random.Random(seed)
    done = 0
    advanced = set()
    with pair.opened() as (source, _):
        edit(source, dice)
    while done < kills:
        was_killed = killed(pair, dice)
        done += was_killed
        with pair.opened() as (source, target):
            advanced.add(assert_no_checkpoint_runs_ahead(source, target))
            if not was_killed:
                edit(source, dice)
    with pair.opened() as (source, target):
        replicate(source, target)
        assert leaves_of_all(source) == leaves_of_all(target)
    # It went on from where it was each time, rather than only when it could finish.
    assert len(advanced) > kills // 10
    print(f"seed {seed}: {kills} kills survived, {len(advanced)} checkpoints seen")  # noqa: T201


def test_kills_of_the_replicating_process(pair: Pair) -> None:
    survive(pair, KILLS, seed=11)


@pytest.mark.long
def test_many_kills_of_the_replicating_process(pair: Pair) -> None:
    survive(pair, 2000, seed=12)


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_kills_of_the_server(direction: str, tmp_path: Path) -> None:
    """It keeps what it answered, and the replication goes on when it is back."""
    dice = random.Random(5)
    port = free_port()
    pair = pair_of(direction, tmp_path, f"http://127.0.0.1:{port}")
    failed = 0
    for n in range(12):
        with serving(tmp_path, port=port) as (process, url):
            if n == 0:
                with closing(open_server(url)) as server:
                    server.create("notes")
            with pair.opened() as (source, target):
                assert_no_checkpoint_runs_ahead(source, target)
                edit(source, dice)
                death = threading.Timer(dice.uniform(0, LATEST_SECONDS), process.kill)
                death.start()
                try:
                    replicate(source, target)
                except Unavailable:
                    failed += 1
                death.cancel()
                death.join()
    with serving(tmp_path, port=port), pair.opened() as (source, target):
        assert_no_checkpoint_runs_ahead(source, target)
        replicate(source, target)
        assert leaves_of_all(source) == leaves_of_all(target)
    assert failed > 3
