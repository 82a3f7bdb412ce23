"""What plans say about why a value was taken."""

from __future__ import annotations

from couchmend.core.document import JSON
from couchmend.core.merging.fold import fold
from couchmend.core.plans.planned import Plan
from couchmend.core.plans.strategies import automatically
from couchmend.core.policy.policy import Policy
from couchmend.core.policy.resolvers import Context
from couchmend.core.values import Value
from tests.core.plans.growing import Growing

EARLY, LATE = "2024-01-01T10:00:00Z", "2024-01-01T11:00:00Z"


def lasting(here: JSON, there: JSON) -> Plan:
    """The plan by last-write-wins for two changes of one field."""
    document = Growing()
    base: dict[str, JSON] = {"x": 0}
    sides = [
        {"x": value} if at is None else {"x": value, "updatedAt": at}
        for value, at in ((1, here), (2, there))
    ]
    document.forked(base, *sides)
    return document.plan("last-write-wins", Policy())


def why(made: Plan) -> str:
    (reason,) = (one.reason for one in made.decisions if one.path == ("x",))
    return reason


def test_the_newest() -> None:
    for times in ((EARLY, LATE), (LATE, EARLY), (EARLY, None)):
        assert why(lasting(*times)).endswith("is the newest")


def test_at_the_same_time() -> None:
    assert "at the same time" in why(lasting(EARLY, EARLY))
    assert why(lasting(EARLY, EARLY)).endswith("is the better")


def test_none_says_when() -> None:
    assert "says when" in why(lasting(None, None))


def test_how_elements_are_arranged_is_no_question_for_a_resolver_of_ones_own() -> None:
    def first(base: Value, current: Value, other: Value, context: Context) -> Value:
        return current

    document = Growing()
    one, two, three = ({"id": name} for name in "abc")
    document.forked({"l": [one, two, three]}, {"l": [three, one, two]}, {"l": [two, one, three]})
    made = document.plan("custom:first", Policy(resolvers={"first": first}))
    assert [one.aspect for one in made.unresolved] == ["order"]
    assert made.unresolved[0].resolver == ""


def test_what_a_resolver_of_ones_own_is_told() -> None:
    told: list[Context] = []

    def first(base: Value, current: Value, other: Value, context: Context) -> Value:
        told.append(context)
        return current

    document = Growing()
    _, winner, loser = document.forked({"x": 0, "y": 0}, {"x": 1, "y": 0}, {"x": 2, "y": 0})
    assert document.plan("custom:first", Policy(resolvers={"first": first})).ready
    (context,) = told
    assert context.path == ("x",)
    assert (context.current.name, context.other.name) == (str(winner), str(loser))
    assert context.base_body == {"x": 0, "y": 0}
    assert context.base_exact


def test_a_resolver_of_ones_own_settles_what_engines_decide() -> None:
    def first(base: Value, current: Value, other: Value, context: Context) -> Value:
        return current

    document = Growing()
    _, winner, _ = document.forked({"x": 0, "y": 0}, {"x": 1, "y": 0}, {"x": 2, "y": 0})
    for resolvers, settled in (({"first": first}, document.bodies[winner]), ({}, None)):
        policy = Policy(auto={"strategy": {"edit_edit": "custom:first"}}, resolvers=resolvers)
        folded = fold(document.tree, document.bodies, policy)
        assert automatically(policy)(folded) == settled
