"""What holds of every plan, whatever the tree looks like."""

from __future__ import annotations

import hashlib
import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from couchmend.core.conflicts.document import ConflictedDocument
from couchmend.core.document import JSON, Doc, dumps, loads
from couchmend.core.merging.applying import apply_decisions
from couchmend.core.plans.choices import Choice, Put, Take
from couchmend.core.plans.examine import Examined, examine
from couchmend.core.plans.plan import plan, plan_for
from couchmend.core.plans.planned import Plan
from couchmend.core.plans.writes import PlanError
from couchmend.core.policy.policy import PLAIN, Policy
from couchmend.core.revtree import Rev, RevTree
from couchmend.core.values import ABSENT, same
from couchmend.errors import UsageError
from tests.core.merging.trees import FIELDS, History, histories
from tests.core.plans.growing import Growing

ROOT = Path(__file__).parents[3]
STRATEGIES = ("merge", "last-write-wins", "keep-current", "preserve-non-deleted", "delete")
TIMED = Policy(
    timestamp_fields=["z"],
    auto={"strategy": dict.fromkeys(["edit_edit", "edit_delete"], "last-write-wins")},
)


def conflicted(history: History) -> ConflictedDocument:
    return ConflictedDocument("db", "doc", history.tree, history.bodies)


def examined(history: History, policy: Policy = PLAIN) -> Examined:
    try:
        return examine(conflicted(history), policy)
    except PlanError:
        assume(False)
        raise


def result(document: ConflictedDocument, made: Plan) -> JSON:
    return made.write.body if made.write else document.bodies[made.winner]


ANY_TREE = settings(deadline=None, suppress_health_check=[HealthCheck.filter_too_much])


@ANY_TREE
@given(histories(), st.sampled_from(STRATEGIES))
def test_what_a_plan_says_holds_together(history: History, strategy: str) -> None:
    document, start = conflicted(history), examined(history)
    made = plan_for(start, strategy)
    live = [leaf.rev for leaf in history.tree.leaves() if not leaf.deleted]
    assert made.winner == live[0]
    assert set(live) <= set(made.leafset)
    assert made.ready == (not made.unresolved and not made.problems)
    doomed = [one.rev for one in made.tombstones]
    if not made.ready:
        assert made.write is None
        assert not doomed
        assert not made.acknowledge
    elif strategy == "delete":
        assert doomed == [*live[1:], live[0]]
    else:
        assert doomed == live[1:]
        assert set(made.acknowledge) == set(made.leafset) - set(live)
        body = result(document, made)
        assert same(apply_decisions(history.bodies[live[0]], made.decisions), body)
        assert made.write is None or not same(body, history.bodies[live[0]])
    assert made.sentence


@ANY_TREE
@given(histories())
def test_one_digest_for_every_strategy(history: History) -> None:
    start = examined(history)
    digests = {plan(conflicted(history), name, PLAIN).digest for name in STRATEGIES}
    assert digests == {start.digest}
    assert examined(history, Policy(identity_keys=["x"])).digest != start.digest
    lost = next(iter(start.versions.folded.meetings), None)
    if lost is not None and lost.at is not None and lost.at in history.bodies:
        del history.bodies[lost.at]
        assert examined(history).digest != start.digest


@ANY_TREE
@given(histories())
def test_the_newest_of_those_that_compete(history: History) -> None:
    """Every path that is open takes the value of the newest version that changed it."""
    start = examined(history, TIMED)
    made = plan_for(start, "last-write-wins")
    for decision in made.decisions:
        rivals = start.versions.folded.side.open.get(decision.place)
        if rivals is None:
            continue
        stamps = [
            rival.version.timestamp for rival in rivals if rival.version.timestamp is not None
        ]
        newest = [one for one in rivals if not stamps or one.version.timestamp == max(stamps)]
        best = min(newest, key=lambda one: one.version.rank)
        assert same(decision.taken, best.value)
        assert decision.timed


@st.composite
def told_apart(draw: st.DrawFn) -> History:
    """Histories in which no two edits are alike, none is taken back and nothing is deleted: what
    is in a version is never there by chance."""
    drawn = draw(histories())
    alive: list[tuple[list[Rev], bool]] = [
        (chain, False) for chain, dead in drawn.chains if not dead
    ]
    tree = RevTree.of(alive)
    bodies: dict[Rev, JSON] = {}
    for number, rev in enumerate(sorted({rev for chain, _ in alive for rev in chain})):
        parent = tree.parent(rev)
        body = {} if parent is None else bodies[parent]
        names = draw(st.lists(st.sampled_from(["x", "y"]), min_size=1, unique=True))
        bodies[rev] = {**body, **{name: f"{name} of {rev}" for name in names}, "z": number + 1}
    return History(alive, bodies)


@ANY_TREE
@given(told_apart(), st.sampled_from(["merge", "last-write-wins"]))
def test_resolving_twice_is_resolving_once(history: History, strategy: str) -> None:
    """What was written is known again, although its losers are still there: by anyone whose
    policy would have written it.  A suggestion may go further, over a base that was inferred;
    and where edits are alike, nobody can tell whose they were."""
    examined(history, TIMED)
    made = plan(conflicted(history), strategy, TIMED, automatic=True)
    assume(made.ready and made.write is not None)
    assert made.write is not None
    write = made.write
    chain = [write.expected, *history.tree.chain(write.parent)]
    chains = [*history.chains, (chain, False)]
    bodies = {**history.bodies, write.expected: write.body}
    document = ConflictedDocument("db", "doc", RevTree.of(chains), bodies)
    again = plan(document, strategy, TIMED, automatic=True)
    assert again.ready
    assert again.write is None
    assert again.expected == write.expected
    assert {one.rev for one in again.tombstones} == {one.rev for one in made.tombstones}


@ANY_TREE
@given(histories())
def test_what_a_person_decided_the_journal_knows(history: History) -> None:
    """No merge made again could tell."""
    start = examined(history)
    assume(start.losers)
    made = plan_for(start, "manual", body={"decided": "otherwise"})
    assert made.write is not None
    write = made.write
    chain = [write.expected, *history.tree.chain(write.parent)]
    bodies = {**history.bodies, write.expected: write.body}
    recorded = {write.expected: frozenset(start.losers)}
    tree = RevTree.of([*history.chains, (chain, False)])
    now = ConflictedDocument("db", "doc", tree, bodies, frozenset(start.deletions), recorded)
    again = plan(now, "merge", PLAIN)
    assert {one.state for one in again.containment} == {"contained"}
    assert again.ready
    assert again.write is None


@ANY_TREE
@given(histories(), st.data())
def test_what_was_chosen_is_there(history: History, data: st.DataObject) -> None:
    start = examined(history)
    opened = plan_for(start, "merge").unresolved
    choices = {
        name: Take(data.draw(st.sampled_from([version.name for version in start.versions.each])))
        for name in FIELDS
    }
    assume(all(one.path[:1] and one.aspect == "value" for one in opened))
    made = plan_for(start, "manual", choices=choices)
    assume(not start.doubtful)
    assert made.ready
    body = result(conflicted(history), made)
    for name, choice in choices.items():
        chosen = history.bodies[Rev.parse(choice.version)]
        assert same(body.get(name, ABSENT), chosen.get(name, ABSENT))


@ANY_TREE
@given(histories(), st.sampled_from(STRATEGIES))
def test_a_plan_as_json_is_the_plan(history: History, strategy: str) -> None:
    made = plan_for(examined(history), strategy)
    written = dumps(made.to_json())
    read = Plan.from_json(loads(written))
    assert read == made
    assert dumps(read.to_json()) == written


# --- the same plan everywhere


def large_document() -> Growing:
    """Several branches that meet at several places, with lists, attachments and deletions."""
    document = Growing()
    file = {"content_type": "text/plain", "digest": "md5-XUFAKrxLKna5cZ2REBfFkg=="}
    base: Doc = {"t": ["a", "b"], "l": [{"id": 1}, {"id": 2}], "n": 0, "s": "x", "at": 1}
    root = document.edit(None, **base)
    one = document.edit(root, **{**base, "t": ["b", "c"], "n": 1, "at": 100})
    document.edit(one, **{**base, "t": ["b", "c"], "n": 2, "at": 300, "_attachments": {"f": file}})
    document.edit(one, **{**base, "l": [{"id": 2}, {"id": 1}], "s": "y", "at": 200})
    two = document.edit(root, **{**base, "t": ["a", "d", "e"], "s": "z", "at": 400})
    document.edit(two, **{**base, "t": ["f"], "l": [{"id": 1, "d": True}, {"id": 3}], "at": 500})
    document.edit(two, **{**base, "o": {"p": 1, "q": 2}, "n": 5, "at": 250})
    document.delete(one)
    return document


def shuffled(document: Growing, chance: random.Random) -> ConflictedDocument:
    """The same, with everything in another order."""
    now = document.now()
    paths = [(now.tree.chain(leaf.rev), leaf.deleted) for leaf in now.tree.leaves()]
    bodies = list(now.bodies.items())
    chance.shuffle(paths)
    chance.shuffle(bodies)
    return ConflictedDocument(f"db-{chance.random()}", now.id, RevTree.of(paths), dict(bodies))


def policies(chance: random.Random) -> Policy:
    fields = [("n", "counter"), ("s", "latest"), ("t", "set"), ("o.**", "max")]
    chance.shuffle(fields)
    strategies = [("edit_edit", "merge"), ("edit_delete", "preserve-non-deleted")]
    chance.shuffle(strategies)
    return Policy(fields=dict(fields), timestamp_fields=["at"], auto={"strategy": dict(strategies)})


def all_plans(document: ConflictedDocument, policy: Policy) -> Iterator[bytes]:
    for strategy in STRATEGIES:
        for automatic in (False, True):
            yield dumps(plan(document, strategy, policy, automatic=automatic).to_json())
    others = document.live[1:]
    for other in others:
        yield dumps(plan(document, "keep-other", policy, revision=str(other)).to_json())
    choices: dict[str, Choice] = {"n": Put(9), "l[id=1].d": Take("current"), "o": Put(ABSENT)}
    yield dumps(plan(document, "manual", policy, choices=choices).to_json())
    yield dumps(plan(document, "manual", policy, body={"b": 1, "a": {"d": 1, "c": 2}}).to_json())


def digest_of_plans(seed: int) -> str:
    chance = random.Random(seed)
    document = shuffled(large_document(), chance)
    plans = b"\n".join(all_plans(document, policies(chance)))
    return hashlib.sha256(plans).hexdigest()


def test_a_plan_does_not_depend_on_any_order() -> None:
    assert len({digest_of_plans(seed) for seed in range(8)}) == 1


@pytest.mark.parametrize("hash_seed", ["0", "1", "4242"])
def test_a_plan_does_not_depend_on_the_process(hash_seed: str) -> None:
    code = "from tests.core.plans.test_plan_laws import digest_of_plans as d; print(d(5))"
    path = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
    found = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": path, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.strip() == digest_of_plans(3)


# --- what is no plan


def test_what_is_no_plan() -> None:
    document = Growing()
    file = {"content_type": "text/plain", "digest": "md5-XUFAKrxLKna5cZ2REBfFkg=="}
    document.forked({"a": 1}, {"a": 2, "_attachments": {"f": file}}, {"a": 1, "b": 1})
    good = document.plan("merge").to_json()
    assert good["write"]["attachments"]
    bads: list[JSON] = [{}, 1, [1]]
    for key in good:
        for bad in bads:
            wrong = json.loads(json.dumps(good))
            wrong[key] = bad
            with pytest.raises(UsageError, match="is not allowed"):
                Plan.from_json(wrong)
    for bad in (None, [], "plan", 1):
        with pytest.raises(UsageError, match="plan"):
            Plan.from_json(bad)
    broken = json.loads(json.dumps(good))
    broken["write"]["attachments"][0]["source"]["revision"] = "x"
    with pytest.raises(UsageError, match="attachments 1, source, revision"):
        Plan.from_json(broken)
