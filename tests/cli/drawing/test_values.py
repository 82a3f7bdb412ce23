"""Values of documents as text."""

from __future__ import annotations

import json
from typing import Any

import pytest

from couchmend.cli.drawing.values import attachment, needs_quotes, written
from couchmend.core.values import ABSENT


@pytest.mark.parametrize(
    ("values", "quoted"),
    [
        (["a text", "another"], False),
        (["a text", 12], True),
        (["12"], True),
        (["true"], True),
        ([""], True),
        ([" edge"], True),
        (["2026-11-24", "3 apples"], False),
        (['{"x": 1}'], True),
        ([ABSENT, "a"], False),
    ],
)
def test_texts_are_quoted_where_they_could_be_mistaken(values: list[Any], quoted: bool) -> None:
    assert needs_quotes(values) is quoted


def test_long_values_take_several_lines_and_stay_json() -> None:
    value = {"list": list(range(40)), "object": {"a": "x" * 30, "b": "y" * 30}, "n": None}
    told = written(value)
    assert "\n" in told
    assert json.loads(told) == value
    assert written([1, "zwei"]) == '[1, "zwei"]'
    assert written(ABSENT) == "–"
    assert written("a\nb") == "a\nb"
    assert written(12345678901234567890123) == "12345678901234567890123"


def test_attachments() -> None:
    file = {"content_type": "image/png", "digest": "md5-abcdefghijklmnop=="}
    assert attachment(file, 1400) == "image/png, 1.4 kB, md5-abcdefghij"
    assert attachment(file) == "image/png, md5-abcdefghij"
    assert attachment(ABSENT) == "–"
