"""Instants and lengths of time as people say them."""

from __future__ import annotations

from datetime import UTC

import pytest

from couchmend.cli.drawing.times import ago, length, moment, short

S = 1_000_000


@pytest.mark.parametrize(
    ("microseconds", "said"),
    [
        (340, "340 µs"), (340_000, "340 ms"), (2 * S, "2 seconds"), (60 * S, "1 minute"),
        (7200 * S, "2 hours"), (86400 * S, "1 day"), (15 * 86400 * S, "2 weeks"),
        (400 * 86400 * S, "1 year"),
    ],
)  # fmt: skip
def test_lengths(microseconds: int, said: str) -> None:
    assert length(microseconds) == said


def test_instants() -> None:
    assert moment(1_796_000_000 * S, UTC) == "2026-11-30 00:53:20"
    assert moment(10**30) == f"{10**24} s since 1970"
    assert ago(0, 7200 * S) == "2 hours ago"
    assert ago(5 * S, 5 * S) == "just now"
    assert ago(10 * S, 5 * S) == "in 5 seconds"
    assert [short(n * S) for n in (4, 60, 7200, 86400 * 3, -5)] == [
        "4 s", "1 min", "2 h", "3 d", "0 s",
    ]  # fmt: skip
