"""The ways in which histories are played."""

from __future__ import annotations

from tests.invariants.playing import Way
from tests.invariants.policies import COUNTERS, GREATEST, LEAST, NEWEST

WAYS: dict[str, Way] = {
    "fields": Way((LEAST,)),
    "fields, killed": Way((LEAST,), kills=6),
    "fields, stopped": Way((LEAST,), pauses=3),
    "everything": Way(
        (LEAST,), kills=3, pauses=1, people=1, compacts=2, deletes=0.7, tags=True, files=True,
    ),
    "counters": Way((COUNTERS,), counts=True),
    "counters, killed": Way((COUNTERS,), counts=True, kills=4, people=1, compacts=1),
    "newest": Way((NEWEST,), timed=True, kills=2, tags=True, files=True, people=1),
    "purged": Way((LEAST,), kills=2, purges=0.5, deletes=1, compacts=1),
    "undone": Way((LEAST,), kills=2, undoes=1.5, people=1),
    "clocks that jump": Way((NEWEST,), timed=True, kills=2, jumps=True, people=1),
    "a quarrel": Way((LEAST, GREATEST), kills=1),
}  # fmt: skip
"""A quarrel: two policies that never agree; what they decide is recorded, and nothing is lost."""
