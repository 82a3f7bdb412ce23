"""Resolutions taken back."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from dataclasses import replace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from couchmend.core.document import JSON, Doc, dumps
from couchmend.core.paths import readable
from couchmend.core.plans.plan import plan
from couchmend.core.plans.undo import Resolution, UndoPlan, undo_plan
from couchmend.core.plans.writes import PlanError
from couchmend.core.policy.policy import PLAIN, Policy
from couchmend.core.revtree import Rev
from couchmend.core.values import same
from couchmend.errors import UsageError
from couchmend.replica.base import Replica
from couchmend.replica.embedded import EmbeddedReplica
from tests.core.plans.carrying import ID, carry_out, fork, live, read, undo

STRATEGIES = ("merge", "last-write-wins", "keep-current", "keep-other", "delete")
BASE: Doc = {"a": 1, "b": 1, "c": 1}
LEFT: Doc = {"a": 2, "b": 1, "c": 1}
RIGHT: Doc = {"a": 1, "b": 2, "c": 1}


@pytest.fixture
def replica() -> Iterator[Replica]:
    with EmbeddedReplica.open(":memory:") as opened:
        yield opened


def resolve(replica: Replica, strategy: str = "merge", policy: Policy = PLAIN) -> Resolution:
    return carry_out(replica, plan(read(replica), strategy, policy))


def edit(replica: Replica, **fields: JSON) -> None:
    """A user's edit of what is there."""
    doc = replica.get(ID)
    doc.update(fields)
    replica.put(doc)


def shown(replica: Replica) -> Doc:
    return {name: value for name, value in replica.get(ID).items() if name not in ("_id", "_rev")}


def bodies(replica: Replica) -> list[bytes]:
    """Those of the live leaves, in some order."""
    document = read(replica)
    return sorted(dumps(document.bodies[rev]) for rev in live(replica))


def test_the_old_winner_is_written_over_the_merge(replica: Replica) -> None:
    winner, _ = fork(replica, BASE, LEFT, RIGHT)
    old = read(replica).bodies[winner]
    done = resolve(replica)
    assert shown(replica) == {"a": 2, "b": 2, "c": 1}
    back = undo_plan(done, read(replica), PLAIN)
    assert [write.parent for write in back.writes] == [done.written]
    assert back.decisions == ()
    undo(replica, back)
    assert dumps(shown(replica)) == dumps(old)
    assert live(replica) == [back.winner]


def test_what_was_written_since_stays(replica: Replica) -> None:
    winner, _ = fork(replica, BASE, LEFT, RIGHT)
    old = read(replica).bodies[winner]
    done = resolve(replica)
    edit(replica, c=9, fresh=True)
    back = undo_plan(done, read(replica), PLAIN)
    assert not back.irreversible
    undo(replica, back)
    assert shown(replica) == {**old, "c": 9, "fresh": True}


def test_what_was_changed_again_cannot_be_taken_back(replica: Replica) -> None:
    winner, _ = fork(replica, BASE, LEFT, RIGHT)
    old = read(replica).bodies[winner]
    changed = "b" if old["a"] == 2 else "a"  # what came from the other side
    done = resolve(replica)
    edit(replica, **{changed: 7})
    back = undo_plan(done, read(replica), PLAIN)
    assert [readable(one.path) for one in back.irreversible] == [changed]
    assert f"{changed} is left as it is: it was changed again" in back.sentence
    undo(replica, back)
    assert shown(replica)[changed] == 7


def test_a_counter_goes_on_from_there(replica: Replica) -> None:
    """What was counted since the resolution stays counted."""
    policy = Policy(fields={"n": "counter"}, timestamp_fields=())
    winner, _ = fork(replica, {"n": 0, "x": 0}, {"n": 1, "x": 0}, {"n": 10, "x": 0})
    old = read(replica).bodies[winner]["n"]
    done = resolve(replica, "merge", policy)
    assert shown(replica)["n"] == 11
    edit(replica, n=111)
    undo(replica, undo_plan(done, read(replica), policy))
    assert shown(replica)["n"] == old + 100


def test_there_may_be_nothing_to_take_back(replica: Replica) -> None:
    winner, _ = fork(replica, BASE, LEFT, LEFT | {"b": 1.0})
    done = resolve(replica, "keep-current")
    assert done.written is None
    back = undo_plan(done, read(replica), PLAIN)
    assert back.writes == ()
    assert back.winner == winner
    assert "nothing to take back" in back.sentence


def test_twice_is_once(replica: Replica) -> None:
    fork(replica, BASE, LEFT, RIGHT)
    done = resolve(replica)
    undo(replica, undo_plan(done, read(replica), PLAIN))
    assert undo_plan(done, read(replica), PLAIN).writes == ()


def test_a_deleted_document_is_there_again(replica: Replica) -> None:
    winner, _, _ = fork(replica, BASE, LEFT, RIGHT, {"a": 5, "b": 5, "c": 5})
    old = read(replica).bodies[winner]
    done = resolve(replica, "delete")
    assert live(replica) == []
    back = undo_plan(done, read(replica), PLAIN)
    assert [write.as_replicated for write in back.writes] == [True]
    undo(replica, back)
    assert shown(replica) == old
    assert live(replica) == [back.winner]


def test_one_that_was_created_again_is_not_overwritten(replica: Replica) -> None:
    fork(replica, BASE, LEFT, RIGHT)
    done = resolve(replica, "delete")
    replica.put({"_id": ID, "new": True})
    deletes = [done.tombstones[done.plan.winner] in read(replica).tree.chain(live(replica)[0])]
    if deletes == [True]:  # it was created over the winner's tombstone
        assert undo_plan(done, read(replica), PLAIN).writes == ()
    else:
        with pytest.raises(PlanError, match="created again"):
            undo_plan(done, read(replica), PLAIN)


def test_what_is_gone_cannot_be_undone(replica: Replica) -> None:
    fork(replica, BASE, LEFT, RIGHT)
    done = resolve(replica)
    replica.delete(ID, replica.get(ID)["_rev"])
    with pytest.raises(PlanError, match="was deleted since") as problem:
        undo_plan(done, read(replica), PLAIN)
    assert problem.value.hint


@pytest.mark.parametrize("how", ["restore", "reopen"])
def test_without_the_archive_it_cannot_be_undone(replica: Replica, how: str) -> None:
    fork(replica, BASE, LEFT, RIGHT)
    done = resolve(replica)
    replica.compact()
    emptied = Resolution(done.plan, done.written, done.tombstones, {})
    with pytest.raises(PlanError, match="not kept any more"):
        undo_plan(emptied, read(replica), PLAIN, "restore" if how == "restore" else "reopen")


def conflict_of(replica: Replica, archived: Mapping[Rev, Doc]) -> list[tuple[str, bool]]:
    """On what the versions differ, and what of that is open."""
    now = read(replica)
    made = plan(replace(now, bodies={**archived, **now.bodies}), "merge", PLAIN)
    return sorted((readable(one.path), one.unresolved) for one in made.decisions if one.path)


SIDES = st.fixed_dictionaries(
    {"a": st.integers(0, 2), "b": st.integers(0, 1)}, optional={"c": st.integers(0, 1)}
)


@settings(max_examples=100, deadline=None)
@given(st.lists(SIDES, min_size=3, max_size=5), st.sampled_from(STRATEGIES), st.integers(0, 2))
def test_resolve_then_reopen_is_as_before(sides: list[Doc], strategy: str, longer: int) -> None:
    """Live leaves with equal bodies, the same winning body and the same conflict; and every
    revision is the one that was computed beforehand."""
    with EmbeddedReplica.open(":memory:") as replica:
        leaves = fork(replica, *sides)
        assume(len(leaves) > 1)
        for number in range(longer):  # branches of different lengths
            doc = replica.get(ID, rev=str(live(replica)[-1]))
            replica.put({**doc, "edit": number})
        archived = read(replica).bodies
        before = bodies(replica), dumps(shown(replica)), conflict_of(replica, archived)
        others = live(replica)[1:]
        revision = str(others[-1]) if strategy == "keep-other" else ""
        made = plan(read(replica), strategy, PLAIN, revision=revision)
        assume(made.ready)
        done = carry_out(replica, made)
        replica.compact()
        back = undo_plan(done, read(replica), PLAIN, "reopen")
        undo(replica, back)
        after = bodies(replica), dumps(shown(replica)), conflict_of(replica, archived)
        assert after == before
        assert live(replica)[0] == back.winner
        assert len(back.writes) <= len(others) + 3


def test_the_winner_is_written_before_the_others_come_back(replica: Replica) -> None:
    """A revived branch is longer, and may win: with nothing merged it always does."""
    winner, _ = fork(replica, BASE, LEFT, RIGHT)
    done = resolve(replica, "keep-current")
    assert done.written is None
    back = undo_plan(done, read(replica), PLAIN, "reopen")
    parents = [write.parent for write in back.writes]
    assert parents[0] == winner
    assert parents[-1] in done.tombstones.values()
    assert set(parents[:-1]).isdisjoint(done.tombstones.values())
    for write in back.writes[:-1]:
        assert same(write.body, done.bodies[winner])
    for count in range(len(back.writes)):  # wherever it breaks off, the same version wins
        assert dumps(shown(replica)) == dumps(done.bodies[winner])
        undo(
            replica, UndoPlan(ID, "reopen", (), winner, back.writes[count : count + 1], (), (), "")
        )
    assert dumps(shown(replica)) == dumps(done.bodies[winner])


def test_what_was_written_since_stays_when_it_is_reopened(replica: Replica) -> None:
    winner, loser = fork(replica, BASE, LEFT, RIGHT)
    done = resolve(replica)
    edit(replica, c=9)
    back = undo_plan(done, read(replica), PLAIN, "reopen")
    undo(replica, back)
    assert shown(replica) == {**done.bodies[winner], "c": 9}
    assert bodies(replica) == sorted(
        [dumps(done.bodies[loser]), dumps({**done.bodies[winner], "c": 9})]
    )
    assert "another installation" in back.sentence


@pytest.mark.parametrize("strategy", ["keep-current", "merge"])
def test_another_engine_does_not_take_it_for_contained(replica: Replica, strategy: str) -> None:
    """What was revived from a tombstone was revived on purpose."""
    fork(replica, BASE, LEFT, RIGHT)
    done = resolve(replica, strategy)
    undo(replica, undo_plan(done, read(replica), PLAIN, "reopen"))
    again = plan(read(replica), "merge", PLAIN)
    assert [one.state for one in again.containment] == ["new"]
    assert not any(base.inferred for base in again.bases)


def test_a_tombstone_that_was_extended_since_is_left_alone(replica: Replica) -> None:
    _, loser = fork(replica, BASE, LEFT, RIGHT)
    done = resolve(replica)
    tombstone = done.tombstones[loser]
    replica.put({"_id": ID, "_rev": str(tombstone), "back": True})
    back = undo_plan(done, read(replica), PLAIN, "reopen")
    assert tombstone not in [write.parent for write in back.writes]
    assert "left alone" in back.sentence


def test_an_acknowledged_deletion_is_open_again(replica: Replica) -> None:
    first = replica.put({"_id": ID, "a": 1})
    changes: list[Doc] = [{"_deleted": True}, {"a": 2}]
    for number, fields in enumerate(changes):
        ids = [f"{number:032x}", first[2:]]
        doc = {"_id": ID, "_rev": f"2-{ids[0]}", "_revisions": {"start": 2, "ids": ids}, **fields}
        assert replica.bulk_docs([doc], new_edits=False) == []
    done = resolve(replica, "preserve-non-deleted")
    for how, expected in (("restore", ()), ("reopen", done.plan.acknowledge)):
        back = undo_plan(done, read(replica), PLAIN, "reopen" if how == "reopen" else "restore")
        assert back.unacknowledge == expected
        assert back.writes == ()
    confirmed = resolve(replica, "delete")
    undo(replica, undo_plan(confirmed, read(replica), PLAIN, "reopen"))
    assert shown(replica) == {"a": 2}
    assert not plan(read(replica), "merge", PLAIN).ready  # the deletion competes as before


def test_attachments_come_back(replica: Replica) -> None:
    def file(content: bytes) -> JSON:
        return {"data": base64.b64encode(content).decode(), "content_type": "text/plain"}

    fork(
        replica,
        {"_attachments": {"f": file(b"old")}},
        {"_attachments": {"f": file(b"one")}},
        {"_attachments": {"f": file(b"two"), "g": file(b"more")}},
    )
    contents = [replica.attachment(ID, "f", rev=str(rev)).read() for rev in live(replica)]
    before = bodies(replica)
    for strategy in ("keep-other", "keep-current", "delete"):
        done = resolve(replica, strategy)
        back = undo_plan(done, read(replica), PLAIN, "reopen")
        undo(replica, back)
        assert bodies(replica) == before
        assert [
            replica.attachment(ID, "f", rev=str(rev)).read() for rev in live(replica)
        ] == contents


def test_undo_plans_as_json(replica: Replica) -> None:
    fork(replica, BASE, LEFT, RIGHT)
    done = resolve(replica)
    edit(replica, a=9)
    for how in ("restore", "reopen"):
        back = undo_plan(done, read(replica), PLAIN, "reopen" if how == "reopen" else "restore")
        given = back.to_json()
        assert UndoPlan.from_json(given) == back
        assert dumps(UndoPlan.from_json(given).to_json()) == dumps(given)
    wrongs: list[JSON] = [
        {**given, "how": "all"},
        {**given, "winner": 1},
        {**given, "writes": {}},
        [],
    ]
    for wrong in wrongs:
        with pytest.raises(UsageError):
            UndoPlan.from_json(wrong)
