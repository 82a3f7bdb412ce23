"""A process that is stopped for longer than its lease lasts, while another takes over, and then
goes on with what it had planned: nothing is lost, and nothing is done twice."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import time
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

import pytest

from tests.invariants.grounds import grounds
from tests.invariants.zygote import zygote


def _stop_holding_nothing(process: int, files: Iterable[Path]) -> None:
    """Stop a process at a moment when it holds none of some SQLite files: whoever stops within a
    transaction keeps all others out, so nobody can take over.

    Raises:
        ProcessLookupError: it is over.
    """
    _stop(process)
    while any(_is_held(file) for file in files if file.exists()):
        os.kill(process, signal.SIGCONT)
        time.sleep(0.003)
        _stop(process)


def _stop(process: int) -> None:
    os.kill(process, signal.SIGSTOP)
    time.sleep(0.05)  # until all of its threads have stopped


def _is_held(file: Path) -> bool:
    with closing(sqlite3.connect(file, timeout=0, isolation_level=None)) as connection:
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return True
        connection.execute("ROLLBACK")
        return False


def _stop_and_take_over(folder: Path, rounds: int, seed: int) -> tuple[int, int]:
    """How often a process was stopped in its midst, and how often with work left to it."""
    chance = random.Random(seed)
    stopped = overtaken = 0
    with zygote(folder) as born:
        for round in range(rounds):
            place = folder / f"round-{round}"
            place.mkdir()
            ground = grounds(place, 30)
            ground.configure(lease=2, batch=15)
            first = born.begin(*ground.command)
            time.sleep(chance.uniform(0.1, 0.4))
            try:
                _stop_holding_nothing(first, ground.files)
            except ProcessLookupError:
                born.wait(first)
                continue
            stopped += 1
            before = ground.judge()
            overtaken += before < len(ground.versions)
            time.sleep(2.2)
            status = born.run(*ground.command)
            ground.judge()
            os.kill(first, signal.SIGCONT)
            born.wait(first)
            assert status == 0
            assert born.run(*ground.command) == 0
            ground.hold_done()
    return stopped, overtaken


def test_stopped_for_longer_than_its_lease(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stopped, overtaken = _stop_and_take_over(tmp_path, 2, seed=1)
    with capsys.disabled():
        print(f"\nSIGSTOP: {stopped} stopped, {overtaken} in their midst; lost: 0")  # noqa: T201


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_stopped_many_times(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stopped, overtaken = _stop_and_take_over(tmp_path, 60, seed=2)
    with capsys.disabled():
        print(f"\nSIGSTOP: {stopped} stopped, {overtaken} in their midst; lost: 0")  # noqa: T201
    assert overtaken > 5
