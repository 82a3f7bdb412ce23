"""The policies of histories: all of them leave nothing to decide that they need not."""

from __future__ import annotations

from couchmend.core.policy.policy import Policy
from couchmend.core.policy.resolvers import Context, Resolver
from couchmend.core.values import ABSENT, Value, canonical

FIELDS = ("x", "y", "z")


def least(base: Value, current: Value, other: Value, context: Context) -> Value:
    """A resolver that leaves nothing open: what is absent, then the smaller."""
    if current is ABSENT or other is ABSENT:
        return ABSENT
    return min(current, other, key=canonical)


def greatest(base: Value, current: Value, other: Value, context: Context) -> Value:
    """Its opposite."""
    if current is ABSENT or other is ABSENT:
        return other if current is ABSENT else current
    return max(current, other, key=canonical)


_LEAST = {"least": Resolver("least", least, trusted=True)}
_GREATEST = {"greatest": Resolver("greatest", greatest, trusted=True)}

LEAST = Policy(fields=dict.fromkeys(FIELDS, "least"), resolvers=_LEAST, timestamp_fields=())
GREATEST = Policy(
    fields=dict.fromkeys(FIELDS, "greatest"), resolvers=_GREATEST, timestamp_fields=()
)
COUNTERS = Policy(
    fields={**dict.fromkeys(FIELDS, "least"), "c": "counter"},
    resolvers=_LEAST,
    timestamp_fields=(),
)
NEWEST = Policy(
    auto={
        "max_severity": {"edit_edit": "critical", "merge_candidates": "critical"},
        "min_time_gap_seconds": 0,
    }
)
"""As by default: what both changed takes the newest version's value."""
