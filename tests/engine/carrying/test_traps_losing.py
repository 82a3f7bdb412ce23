"""The traps in which tools lose data, each by its number."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from couchmend.core.document import Doc
from couchmend.core.plans.writes import PlanError, Tombstone
from couchmend.core.revtree import Rev
from couchmend.engine.carrying import (
    DeletedSince,
    Moved,
    Refused,
    Resolved,
    Unavailable,
    carry_out,
)
from couchmend.engine.carrying.recovery import recover
from couchmend.errors import Forbidden
from couchmend.errors import Unavailable as Unreachable
from couchmend.events import ResolutionFailed
from couchmend.journal import archive
from couchmend.journal.contents import content
from couchmend.replica.base import Written
from tests.engine.failing import FailingReplica, Going, Interruption, racing
from tests.engine.sites import World, branch, embedded, fork, inline

BASE: Doc = {"a": 1, "b": 1, "c": 1}
ONE: Doc = {**BASE, "a": 2}
OTHER: Doc = {**BASE, "b": 2}


def _refuse_merges(new: Doc, old: Doc | None) -> None:
    if new.get("a") == 2 and new.get("b") == 2:
        raise Forbidden("no merges: a secret value")


def _refuse_deletions(new: Doc, old: Doc | None) -> None:
    if new.get("_deleted"):
        raise Forbidden("nothing is deleted here")


@pytest.fixture
def world() -> Iterator[World]:
    world = embedded()
    yield world
    world.close()


def test_trap_1_a_refused_merge_deletes_no_loser() -> None:
    world = embedded([_refuse_merges])
    fork(world.replica, "d", BASE, ONE, OTHER)
    live = world.live("d")
    came = world.resolve("d")
    assert isinstance(came, Refused)
    assert came.reason == "no merges: a secret value"
    assert world.live("d") == live
    conflict = world.conflict(came.conflict)
    assert conflict.state == "failed"
    assert "a secret value" in conflict.last_error
    assert conflict.next_attempt_at is None  # only a person can do something about it
    (event,) = world.told("resolution.failed")
    assert isinstance(event, ResolutionFailed)
    assert "secret" not in repr(event)
    assert world.unfinished() == []
    world.close()


def test_trap_1_a_refused_tombstone_leaves_the_merge_and_is_not_written_again() -> None:
    world = embedded([_refuse_deletions])
    fork(world.replica, "d", BASE, ONE, OTHER)
    came = world.resolve("d")
    assert isinstance(came, Refused)
    assert came.written is not None
    assert set(world.live("d")) == {
        came.written,
        *[rev for rev in world.live("d") if rev != came.written],
    }
    assert len(world.live("d")) == 2
    assert world.conflict(came.conflict).state == "failed"
    # The merge is ours: what is left is to delete the loser, and nothing is written.
    again = world.order("d")
    assert again.plan.write is None
    assert [outcome.state for outcome in again.plan.containment] == ["contained"]
    world.close()


def test_trap_2_every_row_counts(anywhere: World) -> None:
    """Of a batch some are moved, one is too deep for no reason; the others are resolved."""
    for number in range(6):
        fork(anywhere.replica, f"d{number}", BASE, ONE, OTHER)
    orders = [anywhere.order(f"d{number}") for number in range(6)]
    for number in (1, 4):
        doc = anywhere.replica.get(f"d{number}")
        anywhere.replica.put({**doc, "c": 9})
    came = anywhere.carry_out(*orders)
    assert [type(one) for one in came] == [Resolved, Moved, Resolved, Resolved, Moved, Resolved]
    for number in range(6):
        assert len(anywhere.live(f"d{number}")) == (2 if number in (1, 4) else 1)
    assert [one.document for one in came] == [f"d{number}" for number in range(6)]


def test_trap_2_what_refuses_a_whole_batch_is_found(world: World) -> None:
    """A document that no database takes does not stop the others."""
    for number in range(5):
        fork(world.replica, f"d{number}", BASE, ONE, OTHER)
    orders = [world.order(f"d{number}") for number in range(5)]
    bad = orders[2]
    assert bad.plan.write is not None
    fields = {**bad.plan.write.fields, "_unknown": 1}
    orders[2] = replace(bad, plan=replace(bad.plan, write=replace(bad.plan.write, fields=fields)))
    came = world.carry_out(*orders)
    assert [type(one) for one in came] == [Resolved, Resolved, Refused, Resolved, Resolved]
    assert len(world.live("d2")) == 2


def test_trap_2_accepted_is_taken_for_written_and_told(world: World) -> None:
    fork(world.replica, "d", BASE, ONE, OTHER)
    order = world.order("d")

    class Accepting(FailingReplica):
        def bulk_docs(self, docs: Any, *, new_edits: bool = True) -> Any:
            rows = world.replica.bulk_docs(docs, new_edits=new_edits)
            return [replace(r, accepted=True) if isinstance(r, Written) else r for r in rows]

    site = replace(world.site, replica=Accepting(world.replica, Interruption()))
    (came,) = carry_out(site, [order])
    assert isinstance(came, Resolved)
    assert came.accepted
    assert world.resolution(came.resolution).accepted


def test_trap_3_a_deletion_leaves_no_leaf_to_reappear(anywhere: World) -> None:
    fork(anywhere.replica, "d", BASE, ONE, OTHER, {**BASE, "c": 3})
    came = anywhere.resolve("d", "delete")
    assert isinstance(came, Resolved)
    assert came.rev is None
    assert anywhere.live("d") == []


def test_trap_3_the_winner_is_deleted_last(world: World) -> None:
    """A loser that moved: the winner must not go, or the loser would be what is shown."""
    fork(world.replica, "d", BASE, ONE, OTHER)
    order = world.order("d", "delete")
    loser = order.plan.tombstones[0].rev
    assert order.plan.tombstones[-1].rev == order.plan.winner
    chain = world.read("d").tree.chain(loser)
    replica = racing(world.replica, lambda: branch(world.replica, "d", chain, {**OTHER, "c": 5}))
    (came,) = carry_out(replace(world.site, replica=replica), [order])
    assert isinstance(came, Moved)
    assert order.plan.winner in world.live("d")
    assert len(world.live("d")) == 2


def test_trap_4_a_winner_that_moved_is_never_overwritten(anywhere: World) -> None:
    fork(anywhere.replica, "d", BASE, ONE, OTHER)
    order = anywhere.order("d")
    doc = anywhere.replica.get("d")
    anywhere.replica.put({**doc, "c": 9})
    (came,) = anywhere.carry_out(order)
    assert isinstance(came, Moved)
    assert anywhere.conflict(came.conflict).state == "pending"
    assert anywhere.winner("d")["c"] == 9
    assert len(anywhere.live("d")) == 2
    # Read again, it is a new version, and is resolved.
    assert isinstance(anywhere.resolve("d"), Resolved)
    assert anywhere.winner("d") == {"a": 2, "b": 2, "c": 9}


def test_trap_4_a_loser_that_grew_is_a_new_version(world: World) -> None:
    fork(world.replica, "d", BASE, ONE, OTHER)
    order = world.order("d")
    (tombstone,) = order.plan.tombstones
    chain = world.read("d").tree.chain(tombstone.rev)
    grown = branch(world.replica, "d", chain, {**OTHER, "b": 7})
    (came,) = world.carry_out(order)
    assert isinstance(came, Moved)
    assert grown in world.live("d")


def test_trap_5_somebody_deletes_the_survivor_in_the_last_moment(world: World) -> None:
    fork(world.replica, "d", BASE, ONE, OTHER)
    keep = world.order("d", "keep-current")
    (loser,) = (tombstone.rev for tombstone in keep.plan.tombstones)
    replica = racing(world.replica, lambda: world.replica.delete("d", str(keep.plan.winner)))
    (came,) = carry_out(replace(world.site, replica=replica), [keep])
    # Somebody else deleted the winner: that stands, and is told.
    assert isinstance(came, DeletedSince)
    (event,) = world.told("resolution.failed")
    assert isinstance(event, ResolutionFailed)
    assert event.type == "deleted"
    assert loser in world.kept("d")
    assert world.kept("d")[loser].body is not None


def test_trap_5_two_of_our_own_that_delete_each_others_winner_bring_it_back(world: World) -> None:
    """Two processes with one journal, at the same moment: each keeps what the other deletes."""
    fork(world.replica, "d", BASE, ONE, OTHER)
    keep = world.order("d", "keep-current")
    winner = keep.plan.winner
    other = world.order("d", "keep-other")
    assert other.plan.write is not None
    reverse = replace(
        other, plan=replace(other.plan, write=None, winner=other.plan.tombstones[0].rev,
                            tombstones=(Tombstone.over(winner),)),
    )  # fmt: skip
    said = keep.doc.bodies[winner]
    replica = racing(world.replica, lambda: world.carry_out(reverse))
    (came,) = carry_out(replace(world.site, replica=replica), [keep])
    assert isinstance(came, Resolved)
    (rev,) = world.live("d")
    assert world.read("d").bodies[rev] == said
    assert world.unfinished() == []


def test_trap_5_what_is_not_as_it_was_read_is_not_deleted(anywhere: World) -> None:
    fork(anywhere.replica, "d", BASE, ONE, OTHER)
    order = anywhere.order("d", "keep-current")
    branch(anywhere.replica, "d", [Rev.parse("1-" + "a" * 32)], {**BASE, "c": 5})
    live = anywhere.live("d")
    assert len(live) == 3
    (came,) = anywhere.carry_out(order)
    assert isinstance(came, Moved)
    assert anywhere.live("d") == live


def test_trap_6_the_archive_has_what_compaction_takes(anywhere: World) -> None:
    fork(anywhere.replica, "d", BASE, ONE, OTHER)
    before = anywhere.read("d")
    came = anywhere.resolve("d")
    assert isinstance(came, Resolved)
    anywhere.replica.compact()
    while anywhere.replica.info().compact_running:
        time.sleep(0.02)
    kept = anywhere.kept("d")
    for rev, body in before.bodies.items():
        assert kept[rev].body == body
        assert kept[rev].chain == tuple(before.tree.ancestry(rev))


def test_trap_6_what_cannot_be_kept_is_not_deleted(world: World) -> None:
    """A loser whose body is not known is no matter for a plan."""
    fork(world.replica, "d", BASE, ONE, OTHER)
    order = world.order("d")
    (tombstone,) = order.plan.tombstones
    bodies = {rev: body for rev, body in order.doc.bodies.items() if rev != tombstone.rev}
    with pytest.raises(PlanError, match="no live leaf that was read"):
        world.carry_out(replace(order, doc=replace(order.doc, bodies=bodies)))
    assert len(world.live("d")) == 2


SMALL = b"\x89PNG" + bytes(range(256))
TEXT = b"a text that compresses well\n" * 5000
LARGE = os.urandom(3 << 20)


def test_trap_7_attachments_that_only_a_loser_has_are_carried(anywhere: World) -> None:
    replica = anywhere.replica
    first = Rev.parse(
        replica.put(
            {"_id": "d", **BASE, "_attachments": {"base.txt": inline(b"base", "text/plain")}}
        )
    )
    kept = {"base.txt": inline(b"base", "text/plain")}
    of_one = {"one.png": inline(SMALL), "text.txt": inline(TEXT, "text/plain")}
    branch(replica, "d", [first], {**ONE, "_attachments": {**kept, **of_one}})
    of_other = {
        "large.bin": inline(LARGE, "application/octet-stream"),
        "other.json": inline(b'{"x": 1}' * 500, "application/json"),
    }
    branch(replica, "d", [first], {**OTHER, "_attachments": {**kept, **of_other}})
    before = anywhere.read("d")
    contents = {
        (rev, name): replica.attachment("d", name, rev=str(rev)).read()
        for rev in before.live
        for name in before.bodies[rev]["_attachments"]
    }
    came = anywhere.resolve("d")
    assert isinstance(came, Resolved), came
    (rev,) = anywhere.live("d")
    body = anywhere.read("d").bodies[rev]
    assert sorted(body["_attachments"]) == [
        "base.txt",
        "large.bin",
        "one.png",
        "other.json",
        "text.txt",
    ]
    assert replica.attachment("d", "large.bin").read() == LARGE
    assert replica.attachment("d", "text.txt").read() == TEXT
    assert replica.attachment("d", "one.png").read() == SMALL
    assert replica.attachment("d", "base.txt").read() == b"base"
    # What was deleted can be put together again out of the archive.
    database = anywhere.site.database.id
    with anywhere.journal.read() as tx:
        files = archive.attachments(tx, database, "d")
    (loser,) = came.tombstones
    of_loser = {one.name: one for one in files if one.rev == loser}
    assert sorted(of_loser) == sorted(before.bodies[loser]["_attachments"])
    for name, one in of_loser.items():
        assert b"".join(content(anywhere.journal, one.content.digest)) == contents[loser, name]
    # The next edit works on stubs, as any does.
    doc = replica.get("d")
    replica.put({**doc, "c": 2})


def test_trap_8_a_deletion_in_a_list_is_in_the_plan_that_is_carried_out(anywhere: World) -> None:
    base = {"tasks": [{"id": 1, "t": "a"}, {"id": 2, "t": "b"}, {"id": 3, "t": "c"}]}
    one = {"tasks": [{"id": 1, "t": "a"}, {"id": 3, "t": "c"}]}
    other = {
        "tasks": [
            {"id": 0, "t": "z"},
            {"id": 1, "t": "A"},
            {"id": 2, "t": "b"},
            {"id": 3, "t": "c"},
        ]
    }
    fork(anywhere.replica, "d", base, one, other)
    assert isinstance(anywhere.resolve("d"), Resolved)
    assert anywhere.winner("d")["tasks"] == [
        {"id": 0, "t": "z"},
        {"id": 1, "t": "A"},
        {"id": 3, "t": "c"},
    ]


def test_trap_27_an_edit_between_reading_and_resolving_loses_nothing(anywhere: World) -> None:
    fork(anywhere.replica, "d", BASE, ONE, OTHER)
    order = anywhere.order("d")
    bodies = [order.doc.bodies[rev] for rev in order.doc.live]
    doc = anywhere.replica.get("d")
    anywhere.replica.put({**doc, "c": 5})
    assert isinstance(anywhere.carry_out(order)[0], Moved)
    now = anywhere.read("d")
    said = [*now.bodies.values(), *(one.body for one in anywhere.kept("d").values())]
    assert all(body in said for body in bodies)
    assert len(now.live) == 2


def test_the_database_gone_in_the_middle_is_told_and_recovered_when_it_is_there(
    world: World,
) -> None:
    for number in range(3):
        fork(world.replica, f"d{number}", BASE, ONE, OTHER)
    orders = [world.order(f"d{number}") for number in range(3)]
    for at in range(1, 7):
        calls = Interruption(at)
        came = carry_out(replace(world.site, replica=Going(world.replica, calls)), orders)
        if len(calls.calls) < at:
            assert all(isinstance(one, Resolved) for one in came)
            break
        assert all(isinstance(one, Unavailable) for one in came), (at, came)
        recover(world.site)
        assert world.unfinished() == []
        for number in range(3):
            assert len(world.live(f"d{number}")) in (1, 2)
        if all(len(world.live(f"d{number}")) == 1 for number in range(3)):
            break
        orders = [world.order(f"d{number}") for number in range(3)]
    else:
        pytest.fail("it never came to its end")


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("at", range(1, 8))
def test_a_request_of_which_nobody_knows_is_looked_at_before_it_is_sent_again(
    world: World, at: int, after: bool
) -> None:
    fork(world.replica, "d", BASE, ONE, OTHER)
    order = world.order("d")
    calls = Interruption(at, after=after)
    calls.problem = lambda: Unreachable("the connection broke", transient=True)
    (came,) = carry_out(replace(world.site, replica=FailingReplica(world.replica, calls)), [order])
    if isinstance(came, Unavailable):
        # Before anything was written, or while it was verified.
        recover(world.site)
        assert world.unfinished() == []
    else:
        assert isinstance(came, Resolved)
        if at <= len(calls.calls) and calls.calls[at - 1] == "bulk_docs":
            assert world.clock.slept
    writes = [name for name in calls.calls if name == "bulk_docs"]
    assert len(writes) <= 3
    assert len(world.live("d")) in (1, 2)
    # However it came: no more than one merge and one tombstone were ever written.
    assert len(world.read("d").tree) <= 5
