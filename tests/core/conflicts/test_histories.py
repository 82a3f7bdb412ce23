"""No edit is lost and no counter is wrong, whatever happens; and each rule is needed for that.

Histories are random: two or three replicas, each with an engine; edits, replication, compaction,
engines that stop half-way.  A rule is taken out to see that what it prevents is found.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.core.conflicts.histories import COUNTERS, PLAIN_FIELDS, RULES, play

FIELDS: dict[str, Any] = {"policy": PLAIN_FIELDS}
COUNTS: dict[str, Any] = {"policy": COUNTERS, "counts": True}
WAYS: dict[str, dict[str, Any]] = {
    "fields": FIELDS,
    "fields, no crash": {**FIELDS, "crashes": False},
    "fields, a person": {**FIELDS, "people": True},
    "fields, compaction and deletions": {
        **FIELDS, "people": True, "compacts": True, "deletes": True, "steps": 22,
    },
    "counters": COUNTS,
    "counters, no crash": {**COUNTS, "crashes": False},
    "counters, a person": {**COUNTS, "people": True},
    "counters, compaction": {**COUNTS, "people": True, "compacts": True, "steps": 22},
}  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
def test_nothing_is_lost(way: str) -> None:
    tally = play(range(120), **WAYS[way])
    assert tally.lost == []
    assert tally.clean > 20
    assert tally.merges > 20


NO_CRASH: dict[str, Any] = {"crashes": False}

# What is taken out, in which histories, and the first of them in which the harm shows.
NEEDED: dict[str, tuple[set[str], dict[str, Any], int]] = {
    "dead leaves": ({"dead leaves"}, {**FIELDS, **NO_CRASH}, 703),
    "dead leaves, for counters": (
        {"dead leaves", "branches", "doubts"}, {**COUNTS, **NO_CRASH}, 1,
    ),
    "what a branch contains of another": ({"branches", "doubts", "untestable"}, FIELDS, 1538),
    "what it may contain": ({"doubts"}, FIELDS, 135),
    "what it may contain, for counters": ({"doubts"}, COUNTS, 475),
    "containment": ({"containment", "doubts"}, COUNTS, 15),
    "what the winner may contain": ({"untestable", "doubts", "branches"}, FIELDS, 86),
    "a trace of what changed nothing": ({"trace"}, COUNTS, 1_016_369),
    "only the journal's word counts": ({"record"}, COUNTS, 16),
}  # fmt: skip


@pytest.mark.parametrize("without", NEEDED)
def test_each_rule_is_needed(without: str) -> None:
    off, way, seed = NEEDED[without]
    assert play([seed], rules=RULES - off, **way).lost != []
    assert play([seed], **way).lost == []


# Histories in which something was lost once.
FOUND: list[tuple[str, int]] = [
    ("counters", 1_012_683),
    ("counters", 1_016_369),
    ("fields, compaction and deletions", 1_004_010),
]


@pytest.mark.parametrize(("way", "seed"), FOUND)
def test_histories_that_lost_something_once(way: str, seed: int) -> None:
    assert play([seed], **WAYS[way]).lost == []


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("way", WAYS)
def test_nothing_is_lost_in_many_histories(way: str, capsys: pytest.CaptureFixture[str]) -> None:
    tally = play(range(1_000_000, 1_020_000), **WAYS[way])
    with capsys.disabled():
        print(f"\n{way}: {tally}")  # noqa: T201
    assert tally.lost == []
