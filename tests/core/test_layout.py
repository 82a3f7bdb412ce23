"""JSON text that keeps the layout of another."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from couchmend.core.document import dumps, loads
from couchmend.core.layout import Layout
from couchmend.errors import BadRequest, DocumentInvalid
from tests.core.merging.concurrent_edits import documents

TEXTS = {
    "two spaces": '{\n  "a": 1,\n  "b": [\n    1,\n    2\n  ],\n  "c": {"d": null}\n}\n',
    "tabs": '{\n\t"a": 1,\n\t"b": [1, 2],\n\t"c": {\n\t\t"d": null\n\t}\n}\n',
    "one line": '{"a":1,"b":[1,2],"c":{"d":null}}',
    "spaced": '{ "a": 1, "b": [ 1, 2 ], "c": { "d": null } }',
    "windows": '{\r\n    "a": 1,\r\n    "b": [1, 2],\r\n    "c": {"d": null}\r\n}\r\n',
    "no final newline": '{\n "a": 1,\n "b": [1, 2],\n "c": {"d": null}\n}',
    "odd": '\n {"a" : 1 ,"b":[1,\n2] , "c":{"d":null}}\n\n',
    "byte order mark": '\ufeff{"a": 1, "b": [1, 2], "c": {"d": null}}',
}
VALUE = {"a": 1, "b": [1, 2], "c": {"d": None}}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())
def test_what_is_not_changed_is_copied(text: str) -> None:
    layout = Layout(text)
    assert layout.value == VALUE
    assert layout.write(layout.value) == text
    assert layout.write({**layout.value}) == text
    assert layout.write({"a": 1, "b": layout.value["b"], "c": {"d": None}}) == text


@pytest.mark.parametrize(
    ("text", "written"),
    [
        (
            TEXTS["two spaces"],
            '{\n  "a": 2,\n  "b": [\n    1,\n    2\n  ],\n  "c": {"d": null}\n}\n',
        ),
        (TEXTS["tabs"], '{\n\t"a": 2,\n\t"b": [1, 2],\n\t"c": {\n\t\t"d": null\n\t}\n}\n'),
        (TEXTS["one line"], '{"a":2,"b":[1,2],"c":{"d":null}}'),
        (TEXTS["odd"], '\n {"a" : 2 ,"b":[1,\n2] , "c":{"d":null}}\n\n'),
    ],
)
def test_a_changed_value_changes_one_place(text: str, written: str) -> None:
    layout = Layout(text)
    assert layout.write({**layout.value, "a": 2}) == written


@pytest.mark.parametrize(
    ("text", "value", "written"),
    [
        ('{\n  "a": 1\n}\n', {"a": 1, "b": {"c": [1]}},
         '{\n  "a": 1,\n  "b": {\n    "c": [\n      1\n    ]\n  }\n}\n'),
        ('{\n  "a": 1,\n  "b": 2\n}\n', {"b": 2}, '{\n  "b": 2\n}\n'),
        ('{\n  "a": 1\n}\n', {}, "{}\n"),
        ("{}\n", {"a": 1}, '{"a": 1}\n'),
        ('{"a":1}', {"a": 1, "b": 2}, '{"a":1, "b":2}'),
        ('{"a":1,"b":2}', {"a": 1, "b": 2, "c": [{"d": 1}]}, '{"a":1,"b":2,"c":[{"d":1}]}'),
        ('{\n\t"a": {}\n}', {"a": {"b": 1}}, '{\n\t"a": {\n\t\t"b": 1\n\t}\n}'),
        ('{\n  "a": [1, 2]\n}', {"a": [1, 2, {"b": 3}]}, '{\n  "a": [1, 2, {"b": 3}]\n}'),
        ("[1,2]", [2, 1, 3], "[2,1,3]"),
        ('{"a": "\\u00e9"}', {"a": "\u00e9", "b": "\u00fc"}, '{"a": "\\u00e9", "b": "\\u00fc"}'),
        ('{"a": "\u00e9"}', {"a": "\u00fc"}, '{"a": "\u00fc"}'),
        ('{"a": 1.50, "b": 1e3}', {"a": 1.5, "b": 1000.0, "c": 1}, '{"a": 1.50, "b": 1e3, "c": 1}'),
        ("1\n", 2, "2\n"),
    ],
)  # fmt: skip
def test_what_is_new_is_laid_out_like_its_neighbours(text: str, value: Any, written: str) -> None:
    assert Layout(text).write(value) == written


def test_elements_keep_their_layout_where_others_come_and_go() -> None:
    text = '[\n  {"id": 1, "n": 1.0},\n  { "id": 2,\n    "n": 2 }\n]\n'
    layout = Layout(text)
    one, two = layout.value
    assert layout.write([{**two, "n": 3}, one]) == (
        '[\n  { "id": 2,\n    "n": 3 },\n  {"id": 1, "n": 1.0}\n]\n'
    )
    assert layout.write([one, {"id": 3}]) == '[\n  {"id": 1, "n": 1.0},\n  {\n    "id": 3\n  }\n]\n'


@given(documents(), documents(), st.sampled_from([None, 1, 2, "\t"]), st.booleans())
def test_what_is_written_is_the_value(
    before: dict[str, Any], after: dict[str, Any], indent: int | str | None, ascii: bool
) -> None:
    text = json.dumps(before, indent=indent, ensure_ascii=ascii)
    layout = Layout(text)
    assert layout.write(layout.value) == text
    mixed = {**after, **layout.value, **dict(list(after.items())[:1])}
    for value in (after, mixed):
        assert dumps(loads(layout.write(value).encode())) == dumps(value)


@pytest.mark.parametrize(
    "text", ["", "{", '{"a": 1,}', "{'a': 1}", "NaN", '{"a": 1} x', "// no\n{}"]
)
def test_what_is_not_json_is_an_error(text: str) -> None:
    with pytest.raises(BadRequest, match="JSON"):
        Layout(text)


def test_too_many_levels_are_an_error() -> None:
    with pytest.raises((BadRequest, DocumentInvalid)):
        Layout("[" * 900 + "]" * 900)


def test_a_name_that_stands_twice_is_an_error() -> None:
    """Only one of the two could be in the value."""
    with pytest.raises(BadRequest, match='an object has "a" twice'):
        Layout('{"in": [{"a": 1, "b": 2, "a": 1}]}')
    assert Layout('[{"a": 1}, {"a": 2}]').value == [{"a": 1}, {"a": 2}]
