"""The traps of writing merges and tombstones, each by its number."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from couchmend.core.conflicts.deletions import concurrent_deletions
from couchmend.core.document import Doc
from couchmend.core.plans.writes import Tombstone
from couchmend.core.policy.policy import PLAIN, Policy
from couchmend.core.revtree import Rev
from couchmend.engine.carrying import Moved, Refused, Resolved, Unavailable, carry_out
from couchmend.engine.carrying.recovery import recover
from couchmend.engine.deciding.undo import undo
from couchmend.errors import Forbidden
from couchmend.journal.opening import open_journal
from tests.contract.backends import Backend, CouchDB
from tests.engine.failing import racing
from tests.engine.sites import World, branch, embedded, fork, inline

BASE: Doc = {"a": 1, "b": 1, "c": 1}
ONE: Doc = {**BASE, "a": 2}
OTHER: Doc = {**BASE, "b": 2}


@pytest.fixture
def world() -> Iterator[World]:
    world = embedded()
    yield world
    world.close()


def test_trap_12_a_leaf_that_is_purged_between_two_requests_stops_nothing(world: World) -> None:
    fork(world.replica, "d", BASE, ONE, OTHER)
    fork(world.replica, "e", BASE, ONE, OTHER)
    order, other = world.order("d"), world.order("e")
    (loser,) = (tombstone.rev for tombstone in order.plan.tombstones)
    replica = racing(world.replica, lambda: world.replica.purge({"d": [str(loser)]}))
    came = carry_out(replace(world.site, replica=replica), [order, other])
    assert isinstance(came[0], Moved)
    assert isinstance(came[1], Resolved)
    assert world.winner("d") == {"a": 2, "b": 2, "c": 1}
    assert world.kept("d")[loser].body is not None


def test_trap_12_an_unknown_document_is_told(world: World) -> None:
    fork(world.replica, "d", BASE, ONE, OTHER)
    order = world.order("d", "keep-current")
    world.replica.purge({"d": [str(rev) for rev in world.live("d")]})
    (came,) = world.carry_out(order)
    assert isinstance(came, Moved)
    assert world.unfinished() == []


def test_trap_14_nothing_about_who_and_when_is_in_the_document(anywhere: World) -> None:
    fork(anywhere.replica, "d", BASE, ONE, OTHER)
    assert isinstance(anywhere.resolve("d", by="somebody"), Resolved)
    assert anywhere.winner("d") == {"a": 2, "b": 2, "c": 1}


def test_trap_15_two_installations_write_the_same_revision(anywhere: World) -> None:
    """Two journals that know nothing of each other: the second finds its merge there."""
    fork(anywhere.replica, "d", BASE, ONE, OTHER)
    with open_journal("sqlite://") as journal:
        second = World(anywhere.replica, journal)
        orders = anywhere.order("d"), second.order("d", by="somebody else")
        assert orders[0].plan == orders[1].plan
        came = anywhere.carry_out(orders[0])[0], second.carry_out(orders[1])[0]
    assert all(isinstance(one, Resolved) for one in came)
    assert came[0].written == came[1].written
    assert came[0].tombstones == came[1].tombstones
    assert len(anywhere.read("d").tree) == 5


def test_trap_15_the_expected_revisions_are_those_that_the_database_makes(
    anywhere: World,
) -> None:
    sides = ({**ONE, "text": "ü \N{SNOWMAN}", "x": [1.0, 1, 1e300]}, {**OTHER, "y": {"z": None}})
    fork(anywhere.replica, "d", BASE, *sides)
    order = anywhere.order("d")
    assert order.plan.write is not None
    (came,) = anywhere.carry_out(order)
    assert came.written == order.plan.write.expected
    assert came.tombstones == {one.rev: one.expected for one in order.plan.tombstones}


def test_trap_17_an_undo_extends_tombstones_that_are_leaves(anywhere: World) -> None:
    fork(anywhere.replica, "d", BASE, ONE, OTHER)
    came = anywhere.resolve("d")
    assert came.resolution is not None
    (tombstone,) = came.tombstones.values()
    # Somebody else extended the tombstone: that branch is left alone.
    tree = anywhere.read("d").tree
    branch(anywhere.replica, "d", tree.chain(tombstone), {"other": True})
    live = len(anywhere.live("d"))
    done = undo(anywhere.site, came.resolution, "reopen", by="me", policy=PLAIN)
    assert isinstance(done.outcome, Resolved)
    assert "left alone" in done.sentence
    assert len(anywhere.live("d")) == live


@pytest.mark.parametrize("leaves", [150, pytest.param(5000, marks=pytest.mark.long)])
def test_trap_19_many_leaves(anywhere: World, backend: Backend, leaves: int) -> None:
    if isinstance(backend, CouchDB):
        leaves = min(leaves, 1000)  # it needs minutes to take in so many of one document
    base: Doc = {f"f{number}": 0 for number in range(10)}
    first = Rev.parse(anywhere.replica.put({"_id": "d", **base}))
    docs = []
    for number in range(leaves):
        hash = f"{number:08x}{'ab' * 12}"
        docs.append(
            {
                "_id": "d",
                "_rev": f"2-{hash}",
                **base,
                f"f{number % 10}": number,
                "_revisions": {"start": 2, "ids": [hash, first.hash]},
            }
        )
    for start in range(0, leaves, 500):
        assert anywhere.replica.bulk_docs(docs[start : start + 500], new_edits=False) == []
    doc = anywhere.read("d")
    # As if two of them were all: what is planned is not what is measured here.
    two = replace(doc, bodies={rev: doc.bodies[rev] for rev in doc.live[:2]})
    order = anywhere.order_for(two, "keep-current")
    graves = tuple(map(Tombstone.over, doc.live[1:]))
    made = replace(order.plan, tombstones=graves, unreadable=())
    order = replace(order, doc=doc, plan=made)
    began = time.monotonic()
    (came,) = anywhere.carry_out(order)
    assert isinstance(came, Resolved)
    assert len(anywhere.live("d")) == 1
    assert len(anywhere.kept("d")) >= leaves
    assert time.monotonic() - began < 60


def test_trap_25_numbers_are_written_as_they_were(anywhere: World) -> None:
    huge = 12345678901234567890123
    base: Doc = {"big": huge, "float": 1.0, "int": 1, "small": 1e-7, "a": 1, "b": 1}
    fork(anywhere.replica, "d", base, {**base, "a": 2}, {**base, "b": 2})
    order = anywhere.order("d")
    (came,) = anywhere.carry_out(order)
    assert isinstance(came, Resolved)
    assert order.plan.write is not None
    assert came.written == order.plan.write.expected
    now = anywhere.winner("d")
    assert now["big"] == huge
    assert isinstance(now["float"], float)
    assert isinstance(now["int"], int)
    assert came.resolution is not None
    done = undo(anywhere.site, came.resolution, "reopen", by="me", policy=PLAIN)
    assert isinstance(done.outcome, Resolved)
    assert anywhere.winner("d")["big"] == huge


@pytest.mark.parametrize("seed", range(12))
def test_trap_31_after_reopening_the_same_version_wins(world: World, seed: int) -> None:
    """A revived branch is longer and might win: the old winner is written as often as it takes."""
    fork(world.replica, "d", BASE, {**ONE, "s": seed}, {**OTHER, "s": seed})
    before = world.read("d")
    bodies = [before.bodies[rev] for rev in before.live]
    for strategy in ("merge", "keep-current", "keep-other"):
        came = world.resolve("d", strategy) if world.live("d")[1:] else None
        if came is None:
            break
        assert came.resolution is not None
        done = undo(world.site, came.resolution, "reopen", by="me", policy=PLAIN)
        assert isinstance(done.outcome, Resolved)
        now = world.read("d")
        assert [now.bodies[rev] for rev in now.live] == bodies, strategy
        conflict = world.conflict(came.conflict)
        assert (conflict.state, conflict.excluded) == ("pending", True)


@pytest.mark.parametrize("content_type", ["text/plain", "application/json", "image/png"])
def test_trap_34_attachments_of_every_kind_are_carried_and_taken_back(
    anywhere: World, content_type: str
) -> None:
    """Compressible types are hashed over their compressed form, where the server keeps it so."""
    content = b'{"compress": "me"}' * 400
    name = "a file ü.bin"
    files = {"_attachments": {name: inline(content, content_type)}}
    fork(anywhere.replica, "d", BASE, {**ONE, "x": 1}, {**OTHER, **files})
    before = anywhere.read("d")
    bodies = [before.bodies[rev] for rev in before.live]
    order = anywhere.order("d")
    (came,) = anywhere.carry_out(order)
    assert isinstance(came, Resolved)
    assert came.resolution is not None
    assert order.plan.write is not None
    assert came.written == order.plan.write.expected
    assert anywhere.replica.attachment("d", name).read() == content
    done = undo(anywhere.site, came.resolution, "reopen", by="me", policy=PLAIN)
    assert isinstance(done.outcome, Resolved), done
    now = anywhere.read("d")
    assert [now.bodies[rev] for rev in now.live] == bodies
    with_file = next(rev for rev in now.live if "_attachments" in now.bodies[rev])
    assert anywhere.replica.attachment("d", name, rev=str(with_file)).read() == content


def test_trap_35_only_the_journal_can_tell_our_tombstone_from_a_users_deletion(
    anywhere: World,
) -> None:
    """The user deletes the merge: the conflict that was resolved is not there again."""
    fork(anywhere.replica, "d", BASE, ONE, OTHER)
    came = anywhere.resolve("d")
    assert isinstance(came, Resolved)
    anywhere.replica.delete("d", str(came.written))
    assert anywhere.live("d") == []
    doc = anywhere.read("d")
    assert concurrent_deletions(doc.tree) == ()
    # Created again, it extends the tombstone; still nobody is asked.
    anywhere.replica.put({"_id": "d", "fresh": True})
    assert anywhere.winner("d") == {"fresh": True}
    assert came.resolution is not None
    assert set(anywhere.resolution(came.resolution).tombstones) == set(came.tombstones)


def test_trap_37_a_database_that_refuses_every_write_keeps_every_version() -> None:
    def broken(new: Doc, old: Doc | None) -> None:
        if (new.get("b") == 2 and new.get("a") == 2) or new.get("_deleted"):
            raise Forbidden("TypeError: undefined is not a function")

    world = embedded([broken])
    fork(world.replica, "d", BASE, ONE, OTHER)
    live = world.live("d")
    for strategy in ("merge", "keep-current", "delete"):
        assert isinstance(world.resolve("d", strategy), Refused)
        assert world.live("d") == live
    assert world.unfinished() == []
    world.close()


def test_trap_37_a_broken_design_document_blocks_all_writes(anywhere: World) -> None:
    """Only a CouchDB runs it; whatever it answers, nothing is lost, and it goes on afterwards."""
    fork(anywhere.replica, "d", BASE, ONE, OTHER)
    live = anywhere.live("d")
    order = anywhere.order("d")
    anywhere.replica.bulk_docs(
        [
            {
                "_id": "_design/broken",
                "_rev": "1-" + "c" * 32,
                "_revisions": {"start": 1, "ids": ["c" * 32]},
                "validate_doc_update": "function (new_doc) { return new_doc.x.y.z; }",
            }
        ],
        new_edits=False,
    )
    (came,) = anywhere.carry_out(order)
    if isinstance(came, Resolved):  # no JavaScript here
        return
    assert isinstance(came, Refused | Unavailable)
    assert anywhere.live("d") == live
    recover(anywhere.site)
    assert anywhere.unfinished() == []
    assert anywhere.live("d") == live


def test_a_document_of_another_policy_is_no_matter(world: World) -> None:
    """Plans are carried out as they are, whatever made them."""
    fork(world.replica, "d", BASE, {**BASE, "a": 5}, {**BASE, "a": 7})
    came = world.resolve("d", policy=Policy(fields={"a": "max"}))
    assert isinstance(came, Resolved)
    assert world.winner("d")["a"] == 7
