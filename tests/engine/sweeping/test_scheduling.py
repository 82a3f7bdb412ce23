"""Many databases at once: bounded, fair, and soon over when told."""

from __future__ import annotations

import threading
import time

import pytest

from couchmend.engine.clock import SystemClock
from couchmend.engine.sweeping.scheduling import Pool


class Counting:
    """A task of so many steps."""

    running = 0
    most = 0
    lock = threading.Lock()

    def __init__(self, name: str, steps: int, log: list[str], place: str = "s") -> None:
        self.name, self.left, self.log, self.place = name, steps, log, place
        self.abandoned = False

    def advance(self, until: float) -> bool:
        with Counting.lock:
            Counting.running += 1
            Counting.most = max(Counting.most, Counting.running)
        try:
            clock = SystemClock()
            while self.left:
                self.left -= 1
                self.log.append(self.name)
                time.sleep(0.002)
                if clock.monotonic() >= until:
                    break
            return not self.left
        finally:
            with Counting.lock:
                Counting.running -= 1

    def abandon(self) -> None:
        self.abandoned = True


def pool(stop: threading.Event | None = None, **how: object) -> Pool:
    about: dict[str, object] = {"concurrency": 1, "slice_seconds": 0.02, **how}
    return Pool(SystemClock(), stop or threading.Event(), **about)  # type: ignore[arg-type]


def test_a_huge_one_does_not_keep_small_ones_waiting() -> None:
    log: list[str] = []
    with pool() as working:
        working.submit(Counting("huge", 400, log))
        for number in range(10):
            working.submit(Counting(f"small{number}", 2, log))
        assert working.wait(60)
    last_small = max(place for place, name in enumerate(log) if name.startswith("small"))
    assert last_small < 100
    assert log.count("huge") == 400


def test_no_more_at_once_than_allowed_in_all_and_on_one_server() -> None:
    log: list[str] = []
    Counting.most = 0
    with pool(concurrency=4, most_on=lambda place: 1 if place == "small" else 3) as working:
        for number in range(6):
            working.submit(Counting(f"a{number}", 8, log, "small"))
        assert working.wait(60)
        assert Counting.most == 1
        for number in range(12):
            working.submit(Counting(f"b{number}", 8, log, "large"))
        assert working.wait(60)
    assert Counting.most == 3


def test_what_a_task_raises_is_raised_to_who_waits() -> None:
    class Broken(Counting):
        def advance(self, until: float) -> bool:
            raise ZeroDivisionError

    with pool() as working:
        working.submit(Broken("x", 1, []))
        with pytest.raises(ZeroDivisionError):
            working.wait(60)


def test_it_ends_soon_when_told_and_abandons_what_waits() -> None:
    stop = threading.Event()
    log: list[str] = []
    tasks = [Counting(f"t{number}", 100_000, log) for number in range(5)]
    began = time.monotonic()
    with pool(stop) as working:
        for task in tasks:
            working.submit(task)
        threading.Timer(0.1, stop.set).start()
        assert not working.wait()
    assert time.monotonic() - began < 5
    assert all(task.abandoned for task in tasks)
