"""Several threads and several processes on one file."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from couchmend.errors import Conflict
from couchmend.replica.base import ChangeRow, ChangesQuery, Heartbeat
from couchmend.replica.embedded import EmbeddedReplica

WORKERS, EDITS = 4, 40

COUNT = """
import sys
from tests.replica.embedded.test_processes import count
count(sys.argv[1], sys.argv[2])
"""


def count(path: str, who: str) -> None:
    """Add one to a shared document, again and again; a refused edit is made anew."""
    with EmbeddedReplica.open(path) as replica:
        count_in(replica, who)


def count_in(replica: EmbeddedReplica, who: str) -> None:
    for n in range(EDITS):
        replica.put({"_id": f"{who}-{n}"})
        while True:
            doc = replica.get("counter")
            try:
                replica.put({**doc, "n": doc["n"] + 1})
                break
            except Conflict:
                continue


def count_in_threads(replica: EmbeddedReplica) -> None:
    threads = [threading.Thread(target=count_in, args=(replica, f"t{n}")) for n in range(WORKERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)


def holds(path: Path) -> None:
    with EmbeddedReplica.open(path) as replica:
        doc = replica.get("counter", conflicts=True)
        assert doc["n"] == WORKERS * EDITS
        assert "_conflicts" not in doc
        assert replica.info().documents == 1 + WORKERS * EDITS
        seqs = [int(row.seq.split("-")[0]) for row in replica.changes().rows]
        assert seqs == sorted(set(seqs))
        assert replica.check() == []


def spawn(program: str, *args: str) -> subprocess.Popen[bytes]:
    root = Path(__file__).parents[3]
    environment = {**os.environ, "PYTHONPATH": f"{root / 'src'}:{root}"}
    return subprocess.Popen([sys.executable, "-c", program, *args], env=environment)


def test_processes_do_not_lose_each_others_edits(path: Path) -> None:
    with EmbeddedReplica.open(path) as replica:
        replica.put({"_id": "counter", "n": 0})
    workers = [spawn(COUNT, str(path), f"p{n}") for n in range(WORKERS)]
    assert [worker.wait(60) for worker in workers] == [0] * WORKERS
    holds(path)


def test_threads_do_not_lose_each_others_edits(path: Path) -> None:
    with EmbeddedReplica.open(path) as replica:
        replica.put({"_id": "counter", "n": 0})
        count_in_threads(replica)
    holds(path)


def test_threads_share_a_database_in_memory() -> None:
    with EmbeddedReplica.open(":memory:") as replica:
        replica.put({"_id": "counter", "n": 0})
        count_in_threads(replica)
        assert replica.get("counter")["n"] == WORKERS * EDITS


def test_of_many_who_edit_one_revision_exactly_one_succeeds(path: Path) -> None:
    with EmbeddedReplica.open(path) as replica:
        rev = replica.put({"_id": "a"})
        outcomes: list[str] = []
        together = threading.Barrier(16)

        def edit(n: int) -> None:
            together.wait()
            try:
                outcomes.append(replica.put({"_id": "a", "_rev": rev, "n": n}))
            except Conflict:
                outcomes.append("conflict")

        threads = [threading.Thread(target=edit, args=(n,)) for n in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert outcomes.count("conflict") == 15


def test_processes_that_open_a_new_file_together_make_one_database(path: Path) -> None:
    program = """
import sys
from couchmend.replica.embedded import EmbeddedReplica
with EmbeddedReplica.open(sys.argv[1]) as replica:
    replica.put({"_id": sys.argv[2]})
"""
    workers = [spawn(program, str(path), f"d{n}") for n in range(6)]
    assert [worker.wait(60) for worker in workers] == [0] * 6
    with EmbeddedReplica.open(path) as replica:
        assert replica.info().documents == 6


@pytest.mark.parametrize("elsewhere", [False, True], ids=["this process", "another process"])
def test_a_follower_sees_writes_at_once(path: Path, elsewhere: bool) -> None:
    program = """
import sys
from couchmend.replica.embedded import EmbeddedReplica
with EmbeddedReplica.open(sys.argv[1]) as replica:
    replica.put({"_id": "news"})
"""
    with EmbeddedReplica.open(path) as replica:
        replica.put({"_id": "old"})
        feed = replica.follow(ChangesQuery(since="now"), heartbeat_seconds=0.2, timeout_seconds=20)
        assert next(feed) == Heartbeat()
        if elsewhere:
            assert spawn(program, str(path)).wait(30) == 0
        else:
            replica.put({"_id": "news"})
        start = time.monotonic()
        row = next(item for item in feed if isinstance(item, ChangeRow))
        assert row.id == "news"
        assert time.monotonic() - start < 1
        feed.close()


def test_a_follower_ends_after_silence_and_when_the_replica_closes(path: Path) -> None:
    with EmbeddedReplica.open(path) as replica:
        replica.put({"_id": "a"})
        rows = list(replica.follow(heartbeat_seconds=60, timeout_seconds=0.05))
        assert [row.id for row in rows if isinstance(row, ChangeRow)] == ["a"]
        limited = list(replica.follow(ChangesQuery(limit=1)))
        assert len(limited) == 1
