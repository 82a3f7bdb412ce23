"""Resolutions of many documents taken back together: as if one by one, in few requests."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from couchmend.core.document import Doc
from couchmend.core.plans.assessing import classified
from couchmend.core.policy.policy import PLAIN
from couchmend.engine.carrying import Moved, Refused, Resolved, Site, Stopped
from couchmend.engine.carrying.recovery import recover
from couchmend.engine.deciding.undo import Undone, batches, undo, undo_batch
from couchmend.errors import CouchmendError, EngineRefused, Forbidden
from couchmend.journal import archive, resolutions
from couchmend.journal.opening import open_journal
from couchmend.replica.base import ChangesQuery
from tests.contract.backends import Backend
from tests.engine.failing import Died, FailingJournal, FailingReplica, Interruption, racing
from tests.engine.sites import World, branch, embedded, fork, inline

BASE: Doc = {"a": 1, "b": 1, "c": 1}
ONE: Doc = {**BASE, "a": 2}
OTHER: Doc = {**BASE, "b": 2}
HOWS = ["restore", "reopen"]


def taken_back(site: Site, world: World, how: Any, *, preview: bool = False) -> dict[int, Any]:
    """All resolutions of a world, taken back together."""
    documents = {one.id: one.document for one in done(world)}
    found: dict[int, Any] = {}
    for batch in batches(documents):
        for number, came in undo_batch(
            site, batch, how, by="me", policy_of=lambda doc: PLAIN, preview=preview
        ):
            assert number not in found
            found[number] = came
    assert found.keys() == documents.keys()
    return found


def done(world: World) -> list[resolutions.Resolution]:
    """What was resolved, the newest first."""
    with world.journal.read() as tx:
        listed = resolutions.listed(tx, limit=1000)
    return [one for one in listed if one.kind == "resolve"]


def one_by_one(world: World, how: Any, *, preview: bool = False) -> dict[int, Any]:
    """The same, each by itself."""
    found: dict[int, Any] = {}
    for one in done(world):
        try:
            found[one.id] = undo(world.site, one.id, how, by="me", policy=PLAIN, preview=preview)
        except CouchmendError as problem:
            found[one.id] = problem
    return found


def prepare(world: World) -> None:
    """Resolutions of every kind."""
    files = {"base.png": inline(b"base")}
    for id in ("merged", "edited", "clashing", "left", "twice"):
        fork(world.replica, id, BASE, ONE, OTHER)
    fork(world.replica, "three", BASE, ONE, OTHER, {**BASE, "c": 2})
    fork(world.replica, "deleted", BASE, ONE, OTHER, {**BASE, "c": 2})
    fork(world.replica, "again", BASE, ONE, OTHER)
    fork(
        world.replica,
        "files",
        {**BASE, "_attachments": files},
        {**ONE, "_attachments": {"one.png": inline(b"one" * 1000)}},
        {**OTHER, "_attachments": {"two.png": inline(b"two" * 1000)}},
    )
    for id in ("merged", "edited", "clashing", "three", "files", "twice"):
        assert isinstance(world.resolve(id), Resolved), id
    assert isinstance(world.resolve("left", "keep-current"), Resolved)
    for id in ("deleted", "again"):
        assert isinstance(world.resolve(id, "delete"), Resolved)
    world.replica.put({**world.replica.get("edited"), "c": 5})
    world.replica.put({**world.replica.get("clashing"), "a": 7, "b": 7})
    world.replica.put({"_id": "again", "created": True})
    # A second conflict, over what the first resolution wrote.
    chain = world.read("twice").tree.chain(world.live("twice")[0])
    for number in (3, 4):
        branch(world.replica, "twice", chain, {**BASE, "c": number})
    assert isinstance(world.resolve("twice", "keep-current"), Resolved)


def picture(world: World) -> dict[str, Any]:
    """All leaves, and what the journal says of each document."""
    rows = world.replica.changes(ChangesQuery(style="all_docs")).rows
    leaves = {row.id: row.revs for row in rows}
    told: dict[str, Any] = {}
    with world.journal.read() as tx:
        listed = resolutions.listed(tx, limit=1000)
    for one in listed:
        conflict = None if one.conflict is None else world.conflict(one.conflict)
        told.setdefault(one.document, []).append(
            (
                one.kind, one.strategy, one.by, one.state, one.plan, one.written, one.outcome,
                one.error, one.undone_by is not None, one.undo_of is not None,
                conflict and (conflict.state, conflict.excluded, conflict.is_open),
            )
        )  # fmt: skip
    return {id: (revs, told.get(id)) for id, revs in leaves.items()}


def said(came: dict[int, Any]) -> list[Any]:
    """What was told of each resolution."""
    return [
        (number, one.how, one.plan, type(one.outcome), one.sentence)
        if isinstance(one, Undone)
        else (number, type(one), str(one))
        for number, one in sorted(came.items())
    ]


@pytest.mark.parametrize("how", HOWS)
def test_together_is_as_one_by_one(backend: Backend, how: Any) -> None:
    with (
        backend.replica() as first,
        backend.replica() as second,
        open_journal("sqlite://") as ours,
        open_journal("sqlite://") as theirs,
    ):
        single, many = World(first, ours), World(second, theirs)
        prepare(single)
        prepare(many)
        assert picture(single) == picture(many)
        before = picture(many)
        # Of two resolutions of a document a preview says of each what it does as things stand.
        assert said(one_by_one(single, how, preview=True)) == said(
            taken_back(many.site, many, how, preview=True)
        )
        assert picture(many) == before
        expected, came = one_by_one(single, how), taken_back(many.site, many, how)
        assert said(came) == said(expected)
        assert picture(many) == picture(single)
        outcomes = [type(getattr(one, "outcome", one)) for one in came.values()]
        # The rest has nothing to take back, or was created again.
        assert outcomes.count(Resolved) >= (5 if how == "restore" else len(outcomes) - 2)
        assert len(many.told("resolution.undone")) == outcomes.count(Resolved)
        assert many.unfinished() == []


@pytest.fixture
def world() -> Iterator[World]:
    world = embedded()
    yield world
    world.close()


def watched(world: World, interruption: Interruption) -> Site:
    """A site whose calls are counted, and may be interrupted."""
    return replace(
        world.site,
        replica=FailingReplica(world.replica, interruption),
        journal=FailingJournal(world.journal, interruption),
    )


def test_many_take_few_requests(world: World) -> None:
    for number in range(60):
        fork(world.replica, f"d{number}", BASE, ONE, OTHER)
        assert isinstance(world.resolve(f"d{number}"), Resolved)
    counting = Interruption()
    came = taken_back(watched(world, counting), world, "reopen")
    assert all(isinstance(one.outcome, Resolved) for one in came.values())
    calls = counting.calls
    # Read, two or three rounds of writes, read again; begun in one transaction, ended in another.
    assert calls.count("bulk_get") == 2
    assert calls.count("bulk_docs") in (2, 3)
    assert calls.count("write") == 2
    assert len(calls) <= 7


def test_of_one_document_the_newest_goes_first() -> None:
    documents = {1: "d", 2: "e", 3: "d", 4: "f", 5: "d"}
    assert list(batches(documents)) == [[5, 2, 4], [3], [1]]
    assert list(batches({})) == []


def _live_bodies(world: World, id: str) -> list[Any]:
    doc = world.read(id)
    found = []
    for leaf in doc.tree.leaves():
        if not leaf.deleted:
            body = dict(doc.bodies[leaf.rev])
            files = body.pop("_attachments", {})
            contents = {
                name: world.replica.attachment(id, name, rev=str(leaf.rev)).read() for name in files
            }
            found.append((body, contents))
    return found


def _crowd() -> World:
    world = embedded()
    fork(world.replica, "two", BASE, ONE, OTHER)
    fork(world.replica, "gone", BASE, ONE, OTHER, {**BASE, "c": 2})
    fork(
        world.replica,
        "files",
        {**BASE, "_attachments": {"base.png": inline(b"base")}},
        {**ONE, "_attachments": {"one.png": inline(b"one" * 1000)}},
        {**OTHER, "_attachments": {"two.png": inline(b"two" * 1000)}},
    )
    for id, strategy in (("two", "merge"), ("gone", "delete"), ("files", "merge")):
        assert isinstance(world.resolve(id, strategy), Resolved)
    return world


def _states(world: World) -> dict[str, Any]:
    return {id: _live_bodies(world, id) for id in ("two", "gone", "files")}


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_batch_whose_process_dies_at_any_call_is_recovered(after: bool, how: Any) -> None:
    world = _crowd()
    untouched = _states(world)
    counting = Interruption()
    taken_back(watched(world, counting), world, how)
    undone = _states(world)
    world.close()
    assert all(undone[id] != untouched[id] for id in undone)
    partly = False
    for at in range(1, len(counting.calls) + 1):
        world = _crowd()
        with pytest.raises(Died):
            taken_back(watched(world, Interruption(at, after=after)), world, how)
        recover(world.site)
        assert world.unfinished() == []
        assert recover(world.site) == []
        states = _states(world)
        for one in done(world):
            is_back = states[one.document] == undone[one.document]
            assert is_back or states[one.document] == untouched[one.document], at
            assert (one.undone_by is not None) == is_back, at
            conflict = world.conflict(one.conflict)
            assert (conflict.state, conflict.excluded) == (
                ("pending", True) if how == "reopen" and is_back else ("resolved", False)
            )
        partly = partly or len({states[id] == undone[id] for id in states}) == 2
        # What was not taken back can be: the others say that they were.
        again = taken_back(world.site, world, how)
        assert _states(world) == undone
        assert all(isinstance(one, Undone | EngineRefused) for one in again.values())
        world.close()
    assert partly  # as-replicated writes are another request


def test_one_moved_one_refused_one_erased() -> None:
    refusing = False

    def refuse(new: Doc, old: Doc | None) -> None:
        if refusing and new["_id"] == "refused":
            raise Forbidden("not today")

    world = embedded([refuse])
    for id in ("fine", "moved", "refused", "erased", "last"):
        fork(world.replica, id, BASE, ONE, OTHER)
        assert isinstance(world.resolve(id), Resolved)
    numbers = {one.document: one.id for one in done(world)}
    before = world.read("refused").tree
    site = world.site
    with world.journal.write() as tx:
        archive.forget(tx, site.database.id, "erased", "me", world.clock.now())
    edit = {**world.replica.get("moved"), "c": 9}
    refusing = True
    site = replace(site, replica=racing(world.replica, lambda: world.replica.put(edit)))
    found = taken_back(site, world, "reopen")
    came = {document: found[number] for document, number in numbers.items()}
    assert isinstance(came["fine"].outcome, Resolved)
    assert isinstance(came["last"].outcome, Resolved)
    assert isinstance(came["moved"].outcome, Moved)
    assert isinstance(came["refused"].outcome, Refused)
    assert came["refused"].outcome.reason == "not today"
    assert isinstance(came["erased"], EngineRefused)
    assert "erased" in came["erased"].message
    assert len(world.live("fine")) == len(world.live("last")) == 2
    assert world.winner("moved") == {"a": 2, "b": 2, "c": 9}
    assert world.read("refused").tree == before
    assert {one.document for one in done(world) if one.undone_by} == {"fine", "last"}
    assert world.unfinished() == []
    refusing = False
    again = undo(world.site, numbers["refused"], "reopen", by="me", policy=PLAIN)
    assert isinstance(again.outcome, Resolved)
    world.close()


@pytest.mark.parametrize("how", HOWS)
def test_writing_may_be_forbidden_before_any_round(how: Any) -> None:
    """A pause, or a lost lease: it is asked before each request, and what was begun goes on."""
    world = _crowd()
    asked: list[str] = []
    counting = Interruption()
    world.refuses = lambda: counting.calls.append("may")
    taken_back(watched(world, counting), world, how)
    undone = _states(world)
    world.close()
    calls = [one for one in counting.calls if one in ("may", "bulk_docs")]
    writes = [place for place, one in enumerate(calls) if one == "bulk_docs"]
    assert len(writes) >= 2
    assert all(calls[place - 1] == "may" for place in writes)
    for at in range(1, calls.count("may") + 1):
        world = _crowd()
        asked.clear()

        def refuse(at: int = at) -> None:
            asked.append("")
            if len(asked) >= at:
                raise EngineRefused("writing is paused")

        world.refuses = refuse
        untouched = _states(world)
        if at == 1:
            with pytest.raises(EngineRefused):
                taken_back(world.site, world, how)
            assert _states(world) == untouched
        else:
            came = taken_back(world.site, world, how)
            assert any(isinstance(one.outcome, Stopped) for one in came.values())
        world.refuses = lambda: None
        recover(world.site)
        assert world.unfinished() == []
        taken_back(world.site, world, how)
        assert _states(world) == undone
        world.close()


VALUES = st.sampled_from([0, 1, "x", None, [1], {"y": 2}])
BODIES = st.fixed_dictionaries(dict.fromkeys("abc", VALUES))


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(
            BODIES,
            st.lists(BODIES, min_size=2, max_size=4, unique_by=repr),
            st.sampled_from(["merge", "last-write-wins", "keep-current", "keep-other", "delete"]),
        ),
        min_size=1,
        max_size=5,
    )
)
def test_i6_what_is_resolved_and_reopened_together_is_as_it_was(
    histories: list[tuple[Doc, list[Doc], str]],
) -> None:
    world = embedded()
    before: dict[str, Any] = {}
    for number, (base, sides, strategy) in enumerate(histories):
        id = f"d{number}"
        fork(world.replica, id, base, *sides)
        doc = world.read(id)
        order = _ordered(world, id, strategy)
        if order is None:
            continue
        before[id] = (_kind(doc), _live_bodies(world, id))
        assert isinstance(world.carry_out(order)[0], Resolved)
    taken_back(world.site, world, "reopen")
    for id, (kind, bodies) in before.items():
        after = _live_bodies(world, id)
        assert after[0] == bodies[0]
        assert sorted(after, key=repr) == sorted(bodies, key=repr)
        assert _kind(world.read(id)) == kind
    world.close()


def _ordered(world: World, id: str, strategy: str) -> Any:
    doc = world.read(id)
    more: dict[str, Any] = {}
    if strategy == "keep-other":
        more["revision"] = str(doc.live[1])
    order = world.order(id, strategy, **more)
    return order if order.plan.ready else None


def _kind(doc: Any) -> str | None:
    found = classified(doc, PLAIN)
    return None if found is None else found.kind.type
