"""The page on policies says what the code does: its tables are checked against it."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from couchmend import policies
from couchmend.core.paths import from_readable
from couchmend.core.policy.builtin import BUILTIN, prefer
from couchmend.core.policy.metadata import DEVICE_FIELDS, TIMESTAMP_FIELDS
from couchmend.core.policy.parts import SEVERITY
from couchmend.core.policy.patterns import Pattern, Patterns
from couchmend.core.policy.policy import DATA_KEYS, DEFAULT

PAGE = (Path(__file__).parent.parent.parent / "docs/concepts/policies.md").read_text()


def table(head: str) -> list[list[str]]:
    """The rows of the table with this head."""
    _, found, rest = PAGE.partition(f"{head}\n|---")
    assert found, head
    rows = []
    for line in rest.splitlines()[1:]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows


def code(cell: str) -> list[str]:
    """What a cell has as code."""
    return re.findall(r"`([^`]+)`", cell)


def test_the_table_of_resolvers_is_that_of_the_code() -> None:
    every = [*BUILTIN.values(), prefer(["x"])]
    names = [*(f"`{name}`" for name in BUILTIN), "`{ prefer = [values] }`"]
    assert table("| resolver | takes | repeatable |") == [
        [name, resolver.about, "yes" if resolver.idempotent else "no"]
        for name, resolver in zip(names, every, strict=True)
    ]


PATTERNS = [(code(row[0])[0], code(row[1]), code(row[2])) for row in table(
    "| pattern | covers | does not cover |")]  # fmt: skip


@pytest.mark.parametrize(("pattern", "covered", "left"), PATTERNS, ids=[row[0] for row in PATTERNS])
def test_patterns_cover_what_the_page_says(
    pattern: str, covered: list[str], left: list[str]
) -> None:
    patterns = Patterns({Pattern.parse(pattern): True})
    assert covered
    assert left
    assert [path for path in covered if not patterns.at(from_readable(path))] == []
    assert [path for path in left if patterns.at(from_readable(path))] == []


def test_every_setting_is_in_the_table() -> None:
    rows = table("| setting | default | what it says |")
    assert [code(row[0])[0] for row in rows] == list(DATA_KEYS)
    defaults = {code(row[0])[0]: tomllib.loads(f"x = {code(row[1])[0]}")["x"] for row in rows
                if code(row[1])}  # fmt: skip
    assert set(defaults) == {
        "ids", "identity_keys", "ignore_fields", "no_ancestor", "attachments", "dead_branches",
        "clock_skew_seconds",
    }  # fmt: skip
    for key, default in defaults.items():
        held = getattr(DEFAULT, key)
        assert (list(held) if isinstance(held, tuple) else held) == default


def test_what_may_be_done_without_a_person_is_in_the_table() -> None:
    auto = DEFAULT.auto
    rows = table("| type | max_severity | strategy |")
    assert [[code(cell)[0] for cell in row] for row in rows] == [
        [name, auto.max_severity[name], auto.strategy[name]] for name in auto.strategy
    ]


def test_default_names_on_the_page_are_some() -> None:
    lists = re.findall(r"By default: (.*?) and\s+other usual names", PAGE, re.DOTALL)
    assert len(lists) == 2
    for text, names in zip(lists, (TIMESTAMP_FIELDS, DEVICE_FIELDS), strict=True):
        assert len(code(text)) >= 4
        assert set(code(text)) <= set(names)
    for texts in SEVERITY.values():
        assert all(f"`{text}`" in PAGE for text in texts)


def test_the_examples_of_configuration_are_right(tmp_path: Path) -> None:
    blocks = re.findall(r"^```toml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert len(blocks) >= 2
    file = tmp_path / "couchmend.toml"
    file.write_text("\n".join(blocks))
    found = policies.load(file).choose({"_id": "x", "type": "task"})
    assert found.name == "tasks"
    assert found.severity_of(("price",)) == "critical"
    rule = found.rules.at(("subtasks", 0, "estimate"))
    assert rule is not None
    assert rule.resolver.name == "max"
