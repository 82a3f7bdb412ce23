"""Field names, what they lead to, and projections."""

from __future__ import annotations

from typing import Any

import pytest

from couchmend.core.fields import Absent, get_field, parse_field, project
from couchmend.errors import BadRequest

DOC = {"a": {"b": [10, {"c": 1}]}, "x.y": 2, "n": None, "s": "text", "0": "zero"}


@pytest.mark.parametrize(
    ("field", "path"),
    [
        ("a", ("a",)),
        ("a.b.c", ("a", "b", "c")),
        ("a\\.b", ("a.b",)),
        ("a.b\\.c", ("a", "b.c")),
        ("a\\b", ("ab",)),
    ],
)
def test_paths(field: str, path: tuple[str, ...]) -> None:
    assert parse_field(field) == path


@pytest.mark.parametrize("field", ["", ".", "a.", ".a", "a..b", "a\\.b."])
def test_no_name_on_the_way_is_empty(field: str) -> None:
    with pytest.raises(BadRequest) as refusal:
        parse_field(field)
    assert (refusal.value.error, refusal.value.reason) == (
        "invalid_field_name",
        f"Invalid field name: {field}",
    )


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("a.b.0", 10),
        ("a.b.1.c", 1),
        ("a.b.+1.c", 1),
        ("x\\.y", 2),
        ("n", None),
        ("0", "zero"),
        ("zz", Absent.MISSING),
        ("a.zz", Absent.MISSING),
        ("a.zz.deeper", Absent.MISSING),
        ("a.b.2", Absent.NO_WAY),
        ("a.b.-1", Absent.NO_WAY),
        ("a.b.x", Absent.NO_WAY),
        ("a.b.²", Absent.NO_WAY),
        ("s.0", Absent.NO_WAY),
        ("n.a", Absent.NO_WAY),
    ],
)
def test_what_a_path_leads_to(field: str, value: Any) -> None:
    assert get_field(DOC, parse_field(field)) == value


@pytest.mark.parametrize(
    ("fields", "shown"),
    [
        ([], {}),
        (["s", "n"], {"s": "text", "n": None}),
        (["a.b.1.c", "zz", "s"], {"a": {"b": {"1": {"c": 1}}}, "s": "text"}),
        (["a.b.0", "a.b.1"], {"a": {"b": {"0": 10, "1": {"c": 1}}}}),
        (["a.b", "a.b.0"], {"a": {"b": [10, {"c": 1}]}}),
        (["x\\.y"], {"x.y": 2}),
    ],
)
def test_projections(fields: list[str], shown: dict[str, Any]) -> None:
    assert project(DOC, map(parse_field, fields)) == shown


def test_a_projection_leaves_the_document_alone() -> None:
    doc = {"a": {"b": {"c": 1}}, "d": 2}
    project(doc, [("a", "b"), ("a", "b", "c"), ("d",)])["a"]["e"] = 3
    assert doc == {"a": {"b": {"c": 1}}, "d": 2}
