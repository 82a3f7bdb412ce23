"""`couchmend stats`, and what it rests on."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from couchmend.engine.statistics import Percentiles
from tests.cli.queueing import site


def test_what_was_found_and_resolved(tmp_path: Path) -> None:
    here = site(tmp_path)
    for id in ("open", "merging"):
        here.told("conflicts", "resolve", here.number(id), "--yes")
    here.told("undo", "1", "--yes")
    shown = here.told("stats", "--since", "1h")
    assert "without a person  0%" in shown
    assert "edit against deletion" in shown
    assert "95 % within" in shown
    assert "taken back" in shown
    (told,) = here.lines("stats", "--since", "1h", "--database", "notes")
    assert sum(told["detected"].values()) == 3
    assert told["resolved"] == {"last-write-wins": 1, "merge": 1}
    assert told["undone"] == 1
    assert told["auto_rate"] == 0
    assert told["detection"]["count"] == 3
    assert told["resolution"]["p50"] > 0
    assert sum(told["waiting"].values()) == 1
    assert here.run("stats", "--since", "soon").returncode == 2
    assert here.run("stats", "--database", "nots").returncode == 2


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=200))
def test_percentiles_are_lengths_that_occurred(lengths: list[int]) -> None:
    found = Percentiles.of(lengths)
    assert {found.p50, found.p95, found.p99, found.longest} <= set(lengths)
    assert found.p50 <= found.p95 <= found.p99 <= found.longest == max(lengths)
    assert sum(one <= found.p50 for one in lengths) * 2 >= len(lengths)
    assert sum(one <= found.p95 for one in lengths) >= 0.95 * len(lengths) - 1e-9
    assert Percentiles.of([]) == Percentiles()
