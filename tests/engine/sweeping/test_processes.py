"""Sweeping processes that are killed, paused, interrupted, or two at a time."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from couchmend.journal import archive, databases, leases, listing, resolutions
from couchmend.journal.opening import Journal, open_journal
from couchmend.replica.embedded import EmbeddedReplica
from tests.cli.running import COMMAND, environment
from tests.engine.sites import fork
from tests.engine.swept import at, live, task, winners

NAME = "tasks"


@dataclass
class Place:
    """A folder with a database, a configuration and a journal."""

    folder: Path
    count: int

    def start(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*COMMAND, "sweep", "--json", "--config", str(self.folder / "couchmend.toml")],
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self) -> tuple[int, dict[str, Any]]:
        process = self.start()
        out, err = process.communicate(timeout=90)
        assert out, err
        (report,) = json.loads(out)["databases"]
        return process.returncode, report

    def journal(self) -> Journal:
        return open_journal(f"sqlite:///{self.folder / 'journal.db'}")

    def replica(self) -> EmbeddedReplica:
        return EmbeddedReplica.open(str(self.folder / "tasks.couch"))

    def resolved(self) -> int:
        """How many resolutions are done; 0 before there is a journal."""
        if not (self.folder / "journal.db").exists():
            return 0
        with self.journal() as journal, journal.read() as tx:
            return len(resolutions.listed(tx, limit=10_000))


def place(folder: Path, count: int, **more: object) -> Place:
    """A database with so many conflicts that merge, in mode auto."""
    made = Place(folder, count)
    with made.replica() as replica:
        for number in range(count):
            fork(
                replica,
                f"d{number}",
                task(),
                task(title="read", updatedAt=at(60)),
                task(notes="soon", updatedAt=at(200)),
            )
    engine = "".join(f"{key} = {value}\n" for key, value in more.items())
    (folder / "couchmend.toml").write_text(
        f'[journal]\nurl = "sqlite:///journal.db"\n[engine]\n{engine}'
        f'[[databases]]\nname = "{NAME}"\nurl = "file:tasks.couch"\nmode = "auto"\n'
    )
    return made


def _holds(made: Place) -> None:
    """Hold that everything is resolved as without any accident, and nothing is lost."""
    with made.replica() as replica, made.journal() as journal:
        shown = winners(replica)
        for number in range(made.count):
            id = f"d{number}"
            assert len(live(replica, id)) == 1, id
            assert (shown[id]["title"], shown[id]["notes"]) == ("read", "soon"), id
            assert shown[id]["_rev"].startswith("3-"), id
        with journal.read() as tx:
            known = databases.named(tx, NAME)
            assert known is not None
            assert resolutions.unfinished(tx, known.id) == []
            assert listing.open_of(tx, known.id) == []
            kept = archive.kept(tx, known.id, [f"d{number}" for number in range(made.count)])
        for revs in kept.values():
            bodies = [one.body for rev, one in revs.items() if rev.generation == 2]
            assert sum(body is not None for body in bodies) == 2


def _until(what: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    until = time.monotonic() + 60
    while not what() and process.poll() is None:
        assert time.monotonic() < until
        time.sleep(0.01)


@pytest.fixture
def small(tmp_path: Path) -> Place:
    return place(tmp_path, 40, batch_documents=4, page_rows=10)


def _killed(made: Place, seconds: float) -> None:
    process = made.start()
    time.sleep(seconds)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    # Its lease would run out in half a minute.
    if (made.folder / "journal.db").exists():
        with made.journal() as journal, journal.write() as tx:
            for one in leases.held(tx):
                leases.release(tx, one.name, one.holder)


def _kills(made: Place, kills: int, seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(kills):
        process = made.start()
        _until(lambda: made.resolved() > 0, process)
        time.sleep(chance.random() * 0.5)
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=60)
        with made.journal() as journal, journal.write() as tx:
            for one in leases.held(tx):
                leases.release(tx, one.name, one.holder)
        if chance.random() < 0.3:
            _killed(made, chance.random() * 1.5)
    code, report = made.run()
    assert (code, report["outcome"]) == (0, "done")
    _holds(made)


def test_killed_while_sweeping_and_run_again(small: Place) -> None:
    _kills(small, 3, seed=1)


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", range(10))
def test_killed_again_and_again(tmp_path: Path, seed: int) -> None:
    _kills(place(tmp_path, 200, batch_documents=7, page_rows=20), 8, seed=seed + 100)


def test_two_processes_on_one_journal(tmp_path: Path) -> None:
    made = place(tmp_path, 48, batch_documents=4, page_rows=10)
    first = made.start()
    _until(lambda: made.resolved() > 0, first)
    code, report = made.run()
    out, err = first.communicate(timeout=90)
    if code == 4:
        assert report["outcome"] == "held"
        assert "couchmend" in report["error"]["message"]
    else:  # the first was done when the second began
        assert report["resolved"] == 0
    assert first.returncode == 0, err
    assert json.loads(out)["resolved"] == 48
    _holds(made)


def _pause(made: Place, process: subprocess.Popen[str]) -> None:
    """Stop it where it holds no file: SQLite knows no way round one who sleeps with its lock."""
    while process.poll() is None:
        process.send_signal(signal.SIGSTOP)
        time.sleep(0.05)
        if all(_is_free(made.folder / name) for name in ("journal.db", "tasks.couch")):
            return
        process.send_signal(signal.SIGCONT)
        time.sleep(random.random() * 0.02)


def _is_free(file: Path) -> bool:
    with closing(sqlite3.connect(file, timeout=0, isolation_level=None)) as connection:
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return False
        connection.execute("ROLLBACK")
        return True


def test_paused_for_longer_than_its_lease(tmp_path: Path) -> None:
    made = place(tmp_path, 48, batch_documents=4, page_rows=10, lease_seconds=2)
    first = made.start()
    _until(lambda: made.resolved() > 0, first)
    _pause(made, first)
    try:
        time.sleep(2.5)
        code, report = made.run()
        assert (code, report["outcome"]) == (0, "done")
    finally:
        first.send_signal(signal.SIGCONT)
    out, _ = first.communicate(timeout=90)
    (told,) = json.loads(out)["databases"]
    # It may have been done; else it learns that it is not its turn any more.
    assert told["outcome"] in {"held", "done"}
    assert first.returncode == (4 if told["outcome"] == "held" else 0)
    made.run()
    _holds(made)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_interrupted(tmp_path: Path, how: signal.Signals) -> None:
    made = place(tmp_path, 48, batch_documents=4, page_rows=10)
    process = made.start()
    _until(lambda: made.resolved() > 0, process)
    began = time.monotonic()
    process.send_signal(how)
    process.communicate(timeout=30)
    took = time.monotonic() - began
    assert process.returncode == 130
    assert took < 1.0 * float(os.environ.get("COUCHMEND_TEST_PATIENCE", "3"))
    with made.journal() as journal, journal.read() as tx:
        assert leases.held(tx) == []
    assert 0 < made.resolved() < 48
    code, report = made.run()
    assert (code, report["outcome"]) == (0, "done")
    _holds(made)
