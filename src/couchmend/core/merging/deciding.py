"""Decisions with another outcome than the merge gave them."""

from __future__ import annotations

from dataclasses import replace

from couchmend.core.document import JSON
from couchmend.core.merging.decisions import Decision, Kind
from couchmend.core.paths import Path, value_at
from couchmend.core.policy.versions import Version
from couchmend.core.sequences.budget import DEFAULT_OPERATIONS, Budget
from couchmend.core.sequences.order import merge_order
from couchmend.core.values import Value, same


def taken(
    decision: Decision,
    value: Value,
    winner: str,
    resolver: str,
    reason: str,
    *,
    timed: bool = False,
) -> Decision:
    """A decision with another outcome."""
    kind: Kind = "combined"
    if winner in decision.versions and same(value, decision.versions[winner]):
        kind = "current"
    elif any(same(value, one) for one in decision.versions.values()):
        kind = "other"
    return replace(
        decision, kind=kind, taken=value, resolver=resolver, reason=reason, timed=timed,
        assumed=False,
    )  # fmt: skip


def arranged_as(
    decision: Decision, version: Version, resolver: str, reason: str, *, timed: bool = False
) -> Decision:
    """A decision about an arrangement, decided as a version has it; what that lacks stands after
    what it stands after provisionally."""
    present = decision.taken
    key = next(iter(present[0])) if present else ""
    ids = [identity[key] for identity in present]
    order = merge_order(None, _ids(version, decision.path, key, set(ids)), ids, _budget())
    taken = [{key: id} for id in order.keys]
    kind: Kind = "combined"
    names = list(decision.versions)
    if names and same(taken, decision.versions[names[0]]):
        kind = "current"
    elif any(same(taken, value) for value in decision.versions.values()):
        kind = "other"
    return replace(decision, kind=kind, taken=taken, resolver=resolver, reason=reason, timed=timed)


def _ids(version: Version, path: Path, key: str, present: set[JSON]) -> list[JSON]:
    elements = value_at(version.body, path)
    if type(elements) is not list:
        return []
    return [
        element[key]
        for element in elements
        if type(element) is dict and key in element and element[key] in present
    ]


def _budget() -> Budget:
    return Budget(DEFAULT_OPERATIONS)
