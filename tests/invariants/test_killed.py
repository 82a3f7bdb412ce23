"""`kill -9` of a process that sweeps, at any moment: nothing is lost, and the next one goes on."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from pathlib import Path

import pytest

from tests.invariants.grounds import Grounds, grounds
from tests.invariants.zygote import Zygote, zygote


def _seconds_of_a_run(folder: Path, documents: int, born: Zygote) -> float:
    """How long a sweep takes that nobody kills."""
    folder.mkdir()
    ground = grounds(folder, documents)
    began = time.monotonic()
    assert born.run(*ground.command) == 0
    ground.hold_done()
    return time.monotonic() - began


def _killed(ground: Grounds, born: Zygote, seconds: float) -> bool:
    """Sweep, and kill after so many seconds; whether that was before the end."""
    pid = born.begin(*ground.command)
    time.sleep(seconds)
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    status = born.wait(pid)
    ground.judge()
    ground.forget_leases()
    assert status in (0, -signal.SIGKILL)
    return status != 0


def _killed_many_times(tmp_path: Path, least: int, documents: int, seed: int) -> tuple[int, int]:
    chance = random.Random(seed)
    kills = rounds = 0
    with zygote(tmp_path) as born:
        _seconds_of_a_run(tmp_path / "first", 1, born)
        whole = _seconds_of_a_run(tmp_path / "whole", documents, born)
        while kills < least:
            folder = tmp_path / f"round-{rounds}"
            folder.mkdir()
            ground = grounds(folder, documents)
            for _ in range(12):
                if not _killed(ground, born, chance.uniform(0, whole)):
                    break
                kills += 1
            assert born.run(*ground.command) == 0
            ground.hold_done()
            rounds += 1
    return kills, rounds


def test_killed_at_any_moment(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kills, rounds = _killed_many_times(tmp_path, 20, 30, seed=1)
    with capsys.disabled():
        print(f"\nkill -9: {kills} kills of {rounds} databases' sweeps; lost: 0")  # noqa: T201


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_killed_hundreds_of_times(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kills, rounds = _killed_many_times(tmp_path, 400, 200, seed=2)
    with capsys.disabled():
        print(f"\nkill -9: {kills} kills of {rounds} databases' sweeps; lost: 0")  # noqa: T201
