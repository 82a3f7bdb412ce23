"""The guides to configuration, logs and metrics say what there is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from couchmend.configuration import load_all
from couchmend.events import ResolutionResolved
from couchmend.observe.log_lines import line_of
from couchmend.observe.metrics import ConflictMetrics
from tests.observe.events_of_all_kinds import KINDS

GUIDES = Path(__file__).parent.parent.parent / "docs" / "guide"
EXAMPLES = [
    (page.name, block)
    for page in (GUIDES / "configure.md", GUIDES / "observe.md")
    for block in re.findall(r"^```toml\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)
]


@pytest.mark.parametrize(("page", "text"), EXAMPLES)
def test_every_example_of_a_configuration_is_right(tmp_path: Path, page: str, text: str) -> None:
    (tmp_path / "mine.py").write_text("def check(planned): ...\n")
    file = tmp_path / "couchmend.toml"
    file.write_text(text)
    assert load_all(config=file, environment={}).settings.file == file


def test_every_event_is_in_the_table_with_its_level() -> None:
    page = (GUIDES / "observe.md").read_text()
    named = dict(re.findall(r"^\| `([a-z]+\.[a-z]+)` \| (\w+) \|", page, re.MULTILINE))
    assert set(named) == {kind.name for kind in KINDS}
    assert set(named.values()) <= {"debug", "info", "warning", "error"}


def test_every_metric_is_in_the_table() -> None:
    page = (GUIDES / "observe.md").read_text()
    kinds = dict(re.findall(r"^\| `(\w+?)(?:\{[^}]*\})?` \| (\w+) \|", page, re.MULTILINE))
    families = text_string_to_metric_families(ConflictMetrics().render()[0].decode())
    assert {name.removesuffix("_total"): kind for name, kind in kinds.items()} == {
        family.name: family.type for family in families
    }


def test_the_line_of_the_log_has_the_fields_that_there_are() -> None:
    page = (GUIDES / "observe.md").read_text()
    (line,) = re.findall(r'^\{"timestamp".*\}$', page, re.MULTILINE)
    event = ResolutionResolved(
        at=0, database="notes", document="shopping", conflict=7, resolution=3, type="edit_edit",
        severity="low", strategy="merge", by="auto", elapsed=12_500,
    )  # fmt: skip
    keys = re.findall(r'"(\w+)":', line)
    assert keys == ["timestamp", "level", "event", "message", *line_of(event).fields]
