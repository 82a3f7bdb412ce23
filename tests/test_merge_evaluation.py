"""Engines compared on merges that people made, here a few of our own."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.merges import __main__ as evaluation
from benchmarks.merges.cases import read
from benchmarks.merges.evaluation import couchmend, differences, tally, verdict


def case(base: Any, left: Any, right: Any, merged: Any, **more: Any) -> dict[str, Any]:
    return {
        "repo": "some/where", "commit": "0123456789abcdef", "path": "a.json", "base": base,
        "left": left, "right": right, "merged": merged, "line_merge": "conflict",
        "line_merge_equals_merged": False, "faithful": True, **more,
    }  # fmt: skip


CASES = [
    case({"a": 1, "b": 1}, {"a": 2, "b": 1}, {"a": 1, "b": 2}, {"a": 2, "b": 2}),
    case({"a": 1}, {"a": 2}, {"a": 3}, {"a": 3}),
    case({"l": ["a"]}, {"l": ["a", "b"]}, {"l": ["a", "c"]}, {"l": ["a", "c", "b"]}),
    case({"a": 1, "v": 1}, {"a": 2, "v": 1}, {"a": 1, "v": 2}, {"a": 2, "v": 9}, faithful=False),
    case({"a": 1}, {"a": 2}, {"a": 1}, {"a": 2}, line_merge="clean",
         line_merge_equals_merged=True),
]  # fmt: skip


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "cases.jsonl.gz"
    with gzip.open(path, "wt") as out:
        out.writelines(json.dumps(one) + "\n" for one in CASES)
    return path


def test_verdicts(file: Path) -> None:
    cases = list(read(file))
    assert tally(couchmend, cases).verdicts == [
        "as committed", "asks", "order", "different", "as committed",
    ]  # fmt: skip
    assert verdict(cases[0], {"b": 2, "a": 2}) == "as committed"
    assert verdict(cases[0], {"a": 2, "b": True}) == "different"


def test_differences_are_explained(file: Path) -> None:
    cases = list(read(file))
    (found,) = differences(cases[3], {"a": 2, "v": 2})
    assert found.path == ("v",)
    assert found.explanation == "the commit has a value that neither side has"
    (found,) = differences(cases[1], {"a": 2})
    assert found.explanation == "both changed it, and the commit keeps right's value alone"


def test_the_table_and_the_differences_are_written(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    evaluation.main(["--cases", str(file), "--output", str(tmp_path)])
    told = capsys.readouterr().out
    assert "over 5 merges" in told
    assert "| couchmend | 1, 0, 0 | 2, 0, 1 | 1, 1, 0 |" in told
    assert "| git, by lines | 1, 0, 0 | 0, 0, 0 | 0, 0, 0 |" in told
    assert (tmp_path / "RESULTS-merges.md").read_text() in told + "\n"
    explained = (tmp_path / "merges-differences.md").read_text()
    assert "neither side has" in explained
    assert "`a`: both sides changed it, to different values" in explained


def test_without_cases_it_says_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CASES", raising=False)
    with pytest.raises(SystemExit):
        evaluation.main([])
    assert "name their file with --cases" in capsys.readouterr().err
