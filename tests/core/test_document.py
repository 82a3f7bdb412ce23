"""The codec keeps what CouchDB keeps and refuses what it refuses."""

import datetime
import json
import math
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from couchmend.core.document import JSON, body_of, check, check_id, dumps, loads
from couchmend.errors import BadRequest, DocumentInvalid

texts = st.text(st.characters(exclude_categories=["Cs"]))
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(10**40), 10**40)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(texts, inner, max_size=5),
    max_leaves=25,
)


def same(one: JSON, other: JSON) -> bool:
    """Equal in value, in the types of numbers, and in the order of members."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[k], other[k]) for k in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float):
        return one == other and math.copysign(1, one) == math.copysign(1, other)
    return bool(one == other)


@given(values)
def test_what_is_written_is_read_back(value: JSON) -> None:
    check(value)
    assert same(loads(dumps(value)), value)


@given(values)
def test_the_standard_library_reads_the_same(value: JSON) -> None:
    assert same(json.loads(dumps(value)), value)
    assert same(loads(json.dumps(value).encode()), value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b"1", 1),
        (b"1.0", 1.0),
        (b"1e3", 1000.0),
        (b"12345678901234567890123", 12345678901234567890123),
        (b"-9223372036854775809", -9223372036854775809),
        (b"18446744073709551616", 18446744073709551616),
        (b"-0.0", -0.0),
        (b'{"b":1,"a":2}', {"b": 1, "a": 2}),
        (b'{"a":1,"a":2}', {"a": 2}),
        ('"é中😀"'.encode(), "é中😀"),
        (b'"\\ud83d\\ude00"', "😀"),
    ],
)
def test_numbers_keep_their_type_and_objects_their_order(text: bytes, value: JSON) -> None:
    assert same(loads(text), value)


@pytest.mark.parametrize(
    "text",
    [
        b"", b"{", b"[1,", b"nul", b"NaN", b"Infinity", b"-Infinity", b"1e400", b"01", b"'a'",
        b'"\\ud800"', b'"\xff"', b'"\xed\xa0\x80"', b"\xef\xbb\xbf1", b'{"a":1}x', b"1" * 5000,
        b'[NaN, 1234567890123456789012]', b'["\\udc00", 1234567890123456789012]',
        b"[1e999, 1234567890123456789012]", b"[" * 100_000,
        b"1234567890123456789012" + b"[" * 100_000,
    ],
)  # fmt: skip
def test_what_is_not_json_is_refused_as_couchdb_does(text: bytes) -> None:
    with pytest.raises(BadRequest, match="invalid UTF-8 JSON"):
        loads(text)


@pytest.mark.parametrize(
    "value",
    [
        math.nan, math.inf, "\ud800", {"\udc00": 1}, {1: 2}, {"a": {3}}, (1,), b"x",
        datetime.datetime.now(datetime.UTC), uuid.uuid4(), {"a": [math.nan]}, object(),
    ],
)  # fmt: skip
def test_python_values_that_json_lacks_are_refused(value: JSON) -> None:
    with pytest.raises(DocumentInvalid):
        check(value)


def test_deep_documents_are_written_and_deeper_ones_refused() -> None:
    deep: JSON = 1
    for _ in range(400):
        deep = [deep]
    assert loads(dumps(deep)) == deep
    check(deep, max_depth=400)
    with pytest.raises(DocumentInvalid, match="nested too deeply"):
        check(deep, max_depth=399)


def test_a_body_is_the_document_without_couchdbs_own_members() -> None:
    doc = {
        "_id": "a", "_rev": "1-a", "z": 1, "_attachments": {}, "_conflicts": [], "a": 2,
        "_replication_state": "completed", "_revisions": {}, "_deleted": False,
    }  # fmt: skip
    assert list(body_of(doc).items()) == [("z", 1), ("a", 2), ("_replication_state", "completed")]
    with pytest.raises(DocumentInvalid, match="Bad special document member: _foo"):
        body_of({"_foo": 1})


@pytest.mark.parametrize("id", ["a", "é", "_design/x", "_local/x", "a/b", "10%", " ", "\u0000"])
def test_legal_ids(id: str) -> None:
    assert check_id(id) == id


@pytest.mark.parametrize("id", ["", "_a", "_design/", "_local/", 1, None, "\ud800", "a" * 5000])
def test_illegal_ids(id: JSON) -> None:
    with pytest.raises(BadRequest) as refusal:
        check_id(id, max_bytes=4096)
    assert refusal.value.error == "illegal_docid"
