"""The benchmarks still run; a tiny size tells nothing about speed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks import __main__ as benchmarks
from benchmarks import node
from benchmarks.documents import SIZE_BYTES, conflicted, documents, with_revisions
from benchmarks.measuring import Kind, Row, in_turns
from benchmarks.merges import nbdime
from benchmarks.report import Report
from couchmend.core.document import dumps
from couchmend.replica.embedded import EmbeddedReplica


@pytest.fixture
def without_node(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    yield
    monkeypatch.undo()


def measured(folder: Path, *arguments: str) -> Any:
    benchmarks.main(["--tiny", *arguments, "--output", str(folder)])
    text = (folder / "RESULTS.md").read_text()
    assert "tiny" in text
    results = json.loads((folder / "results.json").read_text())
    for row in results["rows"]:
        assert row["what"] in text
        assert row["couchmend_seconds"]
        assert all(seconds > 0 for seconds in row["couchmend_seconds"])
    return results


@pytest.mark.parametrize(
    ("group", "rows"),
    [
        ("startup", 2),
        ("merge", 1),
        ("embedded", 8),
        ("http", 6),
        ("scan", 1),
        ("sweep", 1),
        ("journal", 10),
    ],
    ids=lambda v: str(v),
)
@pytest.mark.program("curl")
def test_each_group_runs(
    group: str, rows: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.merging.find", lambda: None)
    results = measured(tmp_path, "--only", group)
    assert len(results["rows"]) == rows
    missing = node.missing()
    for row in results["rows"]:
        named = ("one empty", "python", "find", "among", "curl")
        beside = None if row["beside"].startswith(named) else missing
        if row["beside"] == "nbdime":
            beside = nbdime.missing()
        assert row["beside_absent"] == beside
        assert len(row["beside_seconds"]) == (0 if beside else 1)


def test_without_node_the_peers_columns_say_so(
    without_node: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = measured(tmp_path, "--only", "embedded")
    absent = [row for row in results["rows"] if row["beside_absent"]]
    assert len(absent) == 6
    assert {row["beside_absent"] for row in absent} == {"node is missing"}
    assert all(row["met"] is None and row["figure"] is None for row in absent)
    assert capsys.readouterr().out.count("node is missing") == 6
    assert "Node.js" not in results["versions"]


def test_a_part_does_not_replace_the_results_of_the_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(benchmarks, "HERE", tmp_path)
    benchmarks.main(["--tiny", "--only", "startup"])
    assert "Nothing was written" in capsys.readouterr().out
    assert not list(tmp_path.iterdir())


def test_the_documents_are_the_same_every_time_and_of_one_size() -> None:
    docs = list(documents(50))
    assert docs == list(documents(50))
    assert {len(dumps(doc)) for doc in docs} == {SIZE_BYTES}
    assert len({doc["_id"] for doc in docs}) == 50
    again = list(with_revisions(iter(docs)))
    assert [
        {k: v for k, v in doc.items() if k not in ("_rev", "_revisions")} for doc in again
    ] == docs


def test_every_so_many_documents_are_in_conflict() -> None:
    with EmbeddedReplica.open(":memory:") as replica:
        assert replica.bulk_docs(list(conflicted(documents(100), 20)), new_edits=False) == []
        assert [row.id for row in replica.conflicted()] == [
            f"task-{number:08d}" for number in range(0, 100, 20)
        ]
        assert replica.info().documents == 100


@pytest.mark.parametrize(
    ("kind", "target", "figure", "met", "shown"),
    [
        (Kind.SPEED, 2.0, 3.0, True, "3.00 × (1.00–4.00)"),
        (Kind.SPEED, 4.0, 3.0, False, "**missed**"),
        (Kind.GROWTH, 0.5, 1 / 3, True, "≤ 0.5 ×"),
        (Kind.GROWTH, 0.3, 1 / 3, False, "**missed**"),
        (Kind.EXTRA, -1.0, -2.0, True, "-2.000 s more"),
        (Kind.SPEED, None, 3.0, None, "3.00 ×"),
    ],
)
def test_medians_are_compared(
    kind: Kind, target: float | None, figure: float, met: bool | None, shown: str
) -> None:
    row = Row("g", "w", kind, target, [1, 3, 1], "b", [4, 3, 2])
    assert row.figure() == pytest.approx(figure)
    assert row.is_met() is met
    assert shown in Report([row], {}, {}, []).as_markdown()


def test_rates_are_shown_where_something_is_counted() -> None:
    row = Row("g", "w", Kind.SPEED, 1, [0.5], "b", [2], amount=1000, unit="documents")
    text = Report([row], {"memory": "much"}, {"Python": "4"}, ["beware"]).as_markdown()
    assert (
        "| w | 2,000 documents/s | 500 documents/s | b | 4.00 × (4.00–4.00) | ≥ 1 × | met |" in text
    )
    assert "- memory: much\n" in text
    assert "- Python: 4\n" in text
    assert "- beware\n" in text


def test_sides_take_turns() -> None:
    order: list[str] = []

    def side(name: str) -> float:
        order.append(name)
        return float(len(order))

    assert in_turns(2, lambda: side("a"), lambda: side("b")) == ([1, 4], [2, 3])
    assert order == ["a", "b", "b", "a"]
