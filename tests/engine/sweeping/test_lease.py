"""One process at a time works on a database; a clock that jumps does not matter."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from couchmend.engine.sweeping.lease import Leases
from couchmend.errors import EngineRefused
from couchmend.events import Event
from couchmend.journal import leases as journal_leases
from couchmend.journal.opening import Journal, open_journal
from tests.engine.swept import ShiftedClock

NAME = "tasks"


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with open_journal(f"sqlite:///{tmp_path / 'journal.db'}") as journal:
        yield journal


class Process:
    """The leases of one process, and what it told."""

    def __init__(self, journal: Journal, seconds: float = 60.0) -> None:
        self.events: list[Event] = []
        self.clock = ShiftedClock()
        self.leases = Leases(journal, self.clock, self.events.append, seconds=seconds)

    def names(self) -> list[str]:
        return [event.name for event in self.events]


@pytest.fixture
def one(journal: Journal) -> Iterator[Process]:
    process = Process(journal)
    yield process
    process.leases.close()


@pytest.fixture
def other(journal: Journal) -> Iterator[Process]:
    process = Process(journal)
    yield process
    process.leases.close()


def test_one_holds_and_the_other_is_told_who(one: Process, other: Process) -> None:
    with one.leases.hold(NAME) as lease:
        one.leases.check(lease)
        with pytest.raises(EngineRefused, match=one.leases.holder), other.leases.hold(NAME):
            pass
        with other.leases.hold("another"):
            pass
    with other.leases.hold(NAME):
        pass
    assert one.names() == ["lease.taken", "lease.lost"]


def test_waiting_for_it(one: Process, other: Process) -> None:
    let_go = threading.Timer(0.3, lambda: held.__exit__(None, None, None))
    held = one.leases.hold(NAME)
    held.__enter__()
    let_go.start()
    with other.leases.hold(NAME, wait_seconds=20.0) as lease:
        other.leases.check(lease)
    let_go.join()


def test_threads_of_one_process_share_it(one: Process, other: Process) -> None:
    with one.leases.hold(NAME), one.leases.hold(NAME):
        pass
    with other.leases.hold(NAME):
        pass
    assert one.names() == ["lease.taken", "lease.lost"]


def test_it_is_renewed_by_a_thread_of_its_own(journal: Journal) -> None:
    one, other = Process(journal, 1.0), Process(journal, 1.0)
    with one.leases.hold(NAME) as lease:
        time.sleep(2.0)
        with pytest.raises(EngineRefused), other.leases.hold(NAME):
            pass
        one.leases.check(lease)
    one.leases.close()
    other.leases.close()


def _taken_over(journal: Journal, by: str) -> None:
    """As if the holder had been paused until its lease ran out."""
    with journal.write() as tx:
        held = journal_leases.holder(tx, NAME)
        assert held is not None
        journal_leases.release(tx, NAME, held.holder)
        assert journal_leases.acquire(tx, NAME, by, 60)


def test_who_was_paused_for_too_long_learns_it_before_the_next_write(journal: Journal) -> None:
    one = Process(journal, 60.0)
    with one.leases.hold(NAME) as lease:
        lease.renewed_at -= 50  # nothing was renewed meanwhile
        _taken_over(journal, "somebody")
        with pytest.raises(EngineRefused, match="somebody"):
            one.leases.check(lease)
        with pytest.raises(EngineRefused):
            one.leases.check(lease)
    assert one.names() == ["lease.taken", "lease.lost"]
    with journal.read() as tx:  # what is another's is not let go
        held = journal_leases.holder(tx, NAME)
    assert held is not None
    assert held.holder == "somebody"
    one.leases.close()


def test_who_was_paused_and_nobody_came_goes_on(
    one: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    with one.leases.hold(NAME) as lease:
        lease.renewed_at -= 50
        _jump(monkeypatch, 3600)
        one.leases.check(lease)
    assert one.names() == ["lease.taken", "lease.lost"]


def _jump(monkeypatch: pytest.MonkeyPatch, seconds: int) -> None:
    genuine = time.time_ns
    monkeypatch.setattr(
        "couchmend.journal.leases.time.time_ns", lambda: genuine() + seconds * 10**9
    )


@pytest.mark.parametrize("seconds", [-86_400, -3600, 86_400])
def test_a_clock_that_jumps(
    one: Process, other: Process, monkeypatch: pytest.MonkeyPatch, seconds: int
) -> None:
    with one.leases.hold(NAME) as lease:
        _jump(monkeypatch, seconds)
        lease.renewed_at -= 50
        one.leases.check(lease)
        with pytest.raises(EngineRefused), other.leases.hold(NAME):
            pass
    with other.leases.hold(NAME):
        pass


def test_a_clock_that_jumped_back_does_not_keep_a_dead_ones_lease(
    journal: Journal, other: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    with journal.write() as tx:
        assert journal_leases.acquire(tx, NAME, "dead", 60)
    _jump(monkeypatch, -86_400)
    with other.leases.hold(NAME):
        pass
