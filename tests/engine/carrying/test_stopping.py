"""What keeps writes from happening: pauses, lost leases, hooks, full journals, and time."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from couchmend.core.document import Doc
from couchmend.engine.carrying import Resolved, Stopped, Unverified, Vetoed, carry_out
from couchmend.engine.carrying.recovery import recover
from couchmend.errors import EngineRefused, JournalError
from couchmend.events import ResolutionFailed
from couchmend.journal import records
from couchmend.journal.opening import open_journal
from couchmend.replica.base import Written
from tests.engine.failing import FailingJournal, FailingReplica, Interruption
from tests.engine.sites import World, embedded, fork

BASE: Doc = {"a": 1, "b": 1, "c": 1}


@pytest.fixture
def world() -> Iterator[World]:
    world = embedded()
    for number in range(3):
        fork(world.replica, f"d{number}", BASE, {**BASE, "a": 2}, {**BASE, "b": 2})
    yield world
    world.close()


def _orders(world: World) -> list[Any]:
    return [world.order(f"d{number}") for number in range(3)]


class Lease:
    """Lost at the n-th time that it is asked for."""

    def __init__(self, lost_at: int) -> None:
        self.asked = 0
        self.lost_at = lost_at

    def __call__(self) -> None:
        self.asked += 1
        if self.asked >= self.lost_at:
            raise EngineRefused("the lease is lost", hint="another process works here")


@pytest.mark.parametrize("lost_at", [1, 2, 3])
def test_a_lease_that_is_lost_between_steps_stops_the_next_request(
    world: World, lost_at: int
) -> None:
    orders = _orders(world)
    calls = Interruption()
    site = replace(
        world.site, replica=FailingReplica(world.replica, calls), may_write=Lease(lost_at)
    )
    came = carry_out(site, orders)
    assert calls.calls.count("bulk_docs") == max(0, lost_at - 2)
    for one in came:
        assert isinstance(one, Stopped)
        assert one.begun == (lost_at == 3)
        assert len(world.live(one.document)) == 2
    # Whoever has the lease now finds what is left, and ends it.
    recover(world.site)
    assert world.unfinished() == []
    for number in range(3):
        assert len(world.live(f"d{number}")) == (1 if lost_at == 3 else 2)


def test_another_process_takes_over_while_this_one_sleeps(world: World) -> None:
    """Paused for longer than its lease, after the merge: another one recovers it; this one wakes,
    sends its tombstones all the same, and changes nothing."""
    orders = _orders(world)
    slept = []

    class Sleeping(FailingReplica):
        def bulk_docs(self, docs: Any, *, new_edits: bool = True) -> Any:
            slept.append(len(docs))
            if len(slept) == 2:
                assert all(isinstance(one, Resolved) for one in recover(world.site))
            return world.replica.bulk_docs(docs, new_edits=new_edits)

    site = replace(world.site, replica=Sleeping(world.replica, Interruption()))
    came = carry_out(site, orders)
    assert all(isinstance(one, Resolved) for one in came)
    assert len(world.told("resolution.resolved")) == 3  # each once
    for number in range(3):
        assert len(world.live(f"d{number}")) == 1
        assert len(world.read(f"d{number}").tree) == 5
    assert world.unfinished() == []


def test_a_hook_may_veto(world: World) -> None:
    orders = _orders(world)
    vetoed = orders[1].doc.id

    def veto(order: Any) -> str | None:
        return "not this one" if order.doc.id == vetoed else None

    came = carry_out(replace(world.site, veto=veto), orders)
    assert [type(one) for one in came] == [Resolved, Vetoed, Resolved]
    assert len(world.live(vetoed)) == 2
    conflict = world.conflict(came[1].conflict)
    assert (conflict.state, conflict.last_error) == ("pending", "not this one")


def test_a_step_without_time_is_given_up_and_recovered(world: World) -> None:
    orders = _orders(world)

    class Slow(FailingReplica):
        def bulk_docs(self, docs: Any, *, new_edits: bool = True) -> Any:
            rows = world.replica.bulk_docs(docs, new_edits=new_edits)
            world.clock.sleep(20)
            return rows

    site = replace(world.site, replica=Slow(world.replica, Interruption()), step_timeout_seconds=10)
    came = carry_out(site, [*orders, world.order("d0")][:3])
    # The merge took too long, and the next step has time of its own.
    assert all(isinstance(one, Resolved) for one in came)
    fork(world.replica, "e", BASE, *({**BASE, "x": number} for number in range(4)))
    (late,) = carry_out(site, [world.order("e", "keep-current")])
    assert isinstance(late, Stopped)
    assert late.timed_out
    assert late.begun
    (event,) = world.told("resolution.failed")
    assert isinstance(event, ResolutionFailed)
    assert event.type == "timeout"
    recover(world.site)
    assert len(world.live("e")) == 1
    with world.journal.read() as tx:
        assert records.pending_operations(tx) == []


def test_running_steps_are_told(world: World) -> None:
    seen = []

    class Looking(FailingReplica):
        def bulk_docs(self, docs: Any, *, new_edits: bool = True) -> Any:
            with world.journal.read() as tx:
                seen.extend(records.pending_operations(tx))
            return world.replica.bulk_docs(docs, new_edits=new_edits)

    site = replace(world.site, replica=Looking(world.replica, Interruption()))
    carry_out(site, _orders(world))
    assert [(one.database, one.document, one.step) for one in seen] == [
        ("notes", "3 documents", "write"),
        ("notes", "3 documents", "tombstone and verify"),
    ]
    with world.journal.read() as tx:
        assert records.pending_operations(tx) == []


def test_no_write_happens_when_the_journal_cannot_be_written(world: World) -> None:
    orders = _orders(world)
    calls, failing = Interruption(), Interruption(1)
    failing.problem = lambda: JournalError("there is no space left for it")
    site = replace(
        world.site,
        replica=FailingReplica(world.replica, calls),
        journal=FailingJournal(world.journal, failing),
    )
    with pytest.raises(JournalError, match="no space"):
        carry_out(site, orders)
    assert "bulk_docs" not in calls.calls
    assert all(len(world.live(f"d{number}")) == 2 for number in range(3))


def test_no_write_happens_when_the_journal_is_really_full(tmp_path: Path) -> None:
    replica = embedded().replica
    with open_journal(f"sqlite:///{tmp_path}/journal.db") as journal:
        world = World(replica, journal)
        text = os.urandom(500_000).hex()
        fork(replica, "d", BASE, {**BASE, "a": text}, {**BASE, "b": text[::-1]})
        order = world.order("d")
        site = world.site
        with journal.engine.connect() as connection:
            pages = connection.exec_driver_sql("PRAGMA page_count").scalar()

        @event.listens_for(journal.engine, "checkout")
        def _limit(connection: Any, *_: object) -> None:
            connection.execute(f"PRAGMA max_page_count = {pages}")

        with pytest.raises(JournalError, match="no space"):
            carry_out(site, [order])
        assert len(world.live("d")) == 2
        assert len(world.read("d").tree) == 3
    replica.close()


def test_a_write_that_is_confirmed_and_not_to_be_seen_is_looked_at_again(world: World) -> None:
    """A database that confirms what it does not store: nothing is taken for done."""
    order = world.order("d0")

    class Lying(FailingReplica):
        def bulk_docs(self, docs: Any, *, new_edits: bool = True) -> Any:
            write = order.plan.write
            assert write is not None
            return [
                Written(
                    doc["_id"],
                    str(order.plan.tombstones[0].expected if "_deleted" in doc else write.expected),
                )
                for doc in docs
            ]

    (came,) = carry_out(replace(world.site, replica=Lying(world.replica, Interruption())), [order])
    assert isinstance(came, Unverified)
    assert world.conflict(came.conflict).state == "failed"
    assert world.conflict(came.conflict).next_attempt_at is not None
    assert len(world.live("d0")) == 2
    recover(world.site)
    assert world.unfinished() == []
    assert isinstance(world.resolve("d0"), Resolved)
