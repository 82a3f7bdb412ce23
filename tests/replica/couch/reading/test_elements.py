"""The elements of a large array, as they arrive: any JSON, broken up anywhere."""

from __future__ import annotations

import itertools
import json
import tracemalloc
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from couchmend.core.document import JSON, dumps, loads
from couchmend.errors import ReplicaError, Unavailable
from couchmend.replica.couch.connection.answers import Answer
from couchmend.replica.couch.reading.elements import ArrayReader

TEXTS = st.text() | st.sampled_from(
    ["", '"', "\\", '\\"', "[", "]", "{", "},{", ",\r\n", ",\n{", "é"]
)
VALUES: st.SearchStrategy[JSON] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=10**18, max_value=10**40)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
MEMBERS = st.dictionaries(TEXTS.filter(lambda name: name != "results"), VALUES, max_size=3)
steady = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])

BLANKS = st.sampled_from(["", " ", "\n", "\r\n", "\t \n"])


def reader(limit_bytes: int = 1 << 30) -> ArrayReader:
    answer = Answer(200, {}, b"", "GET", "http://host/db/_changes")
    return ArrayReader(answer, "results", limit_bytes)


def read(pieces: Iterable[bytes]) -> tuple[list[JSON], dict[str, Any]]:
    it = reader()
    elements = [element for piece in pieces for element in it.feed(piece)]
    return elements, it.finish()


def spelt(value: JSON) -> str:
    """With types and signs: 1 is not 1.0, and not True."""
    return json.dumps(value, sort_keys=True)


@st.composite
def layouts(draw: st.DrawFn) -> tuple[bytes, list[JSON], dict[str, JSON]]:
    """An answer, its elements and its other members."""
    elements = draw(st.lists(VALUES, max_size=6))
    before, after = draw(MEMBERS), draw(MEMBERS)
    after = {name: value for name, value in after.items() if name not in before}
    ascii_only, indent = draw(st.booleans()), draw(st.sampled_from([None, None, 1]))

    def text(value: JSON) -> str:
        return json.dumps(value, ensure_ascii=ascii_only, indent=indent)

    between = draw(st.sampled_from([",\r\n", ",\n", ",", " , "]))
    head, tail = draw(BLANKS), draw(BLANKS)
    array = f"[{head}{between.join(map(text, elements))}{tail}]"
    name = draw(st.sampled_from(['"results"', '"\\u0072esults"']))
    members = [f"{text(key)}{draw(BLANKS)}:{text(value)}" for key, value in before.items()]
    members.append(f"{name}{draw(BLANKS)}:{draw(BLANKS)}{array}")
    members += [f"{text(key)}:{text(value)}" for key, value in after.items()]
    whole = draw(BLANKS) + "{" + f"{draw(BLANKS)},".join(members) + "}" + draw(BLANKS)
    return whole.encode("utf-8", "surrogatepass"), elements, {**before, **after}


def in_pieces(text: bytes, borders: Iterable[int]) -> list[bytes]:
    at = sorted({0, len(text), *(border % (len(text) + 1) for border in borders)})
    return [text[start:end] for start, end in itertools.pairwise(at)]


@steady
@given(layouts(), st.lists(st.integers(min_value=0), max_size=12))
def test_any_json_in_any_pieces(
    layout: tuple[bytes, list[JSON], dict[str, JSON]], borders: list[int]
) -> None:
    text, elements, members = layout
    found = read(in_pieces(text, borders))
    whole = json.loads(text)
    assert spelt(found[0]) == spelt(whole.pop("results")) == spelt(elements)
    assert spelt(found[1]) == spelt(whole) == spelt(members)


@steady
@given(layouts())
def test_byte_by_byte(layout: tuple[bytes, list[JSON], dict[str, JSON]]) -> None:
    text, elements, members = layout
    found = read(text[at : at + 1] for at in range(len(text)))
    assert spelt(found[0]) == spelt(elements)
    assert spelt(found[1]) == spelt(members)


@steady
@given(layouts(), st.lists(st.integers(min_value=0), max_size=4))
def test_cut_off_anywhere(
    layout: tuple[bytes, list[JSON], dict[str, JSON]], borders: list[int]
) -> None:
    text, elements, _ = layout
    text = text.rstrip()
    for end in range(0, len(text), 1 if len(text) < 100 else 7):
        it = reader()
        found = [element for piece in in_pieces(text[:end], borders) for element in it.feed(piece)]
        assert spelt(found) == spelt(elements[: len(found)])
        with pytest.raises(Unavailable) as refusal:
            it.finish()
        assert refusal.value.transient


@steady
@given(
    layouts(),
    st.integers(min_value=0),
    st.integers(min_value=0, max_value=2),
    st.sampled_from([*b'{}[],:"\\0e- ', 0, 0xC3, 0xFF]),
    st.lists(st.integers(min_value=0), max_size=4),
)
def test_what_is_no_json_is_refused_and_what_is_json_is_read(
    layout: tuple[bytes, list[JSON], dict[str, JSON]],
    place: int,
    removed: int,
    byte: int,
    borders: list[int],
) -> None:
    """A byte changed anywhere: the outcome is what a reader of the whole would say."""
    text, _, _ = layout
    at = place % len(text)
    text = text[:at] + bytes([byte]) + text[at + removed :]
    try:
        whole = json.loads(text.decode(), object_pairs_hook=Pairs)
        valid = isinstance(whole, Pairs) and whole.array() is not None
        loads(text)  # which refuses what Python's reader takes: NaN, lone surrogates
    except (ValueError, ReplicaError, RecursionError):
        valid = False
    if not valid:
        with pytest.raises(ReplicaError):
            read(in_pieces(text, borders))
    else:
        elements, _ = read(in_pieces(text, borders))
        assert spelt(elements) == spelt(whole.array())


class Pairs(dict[str, JSON]):
    """An object that remembers whether a name was there twice."""

    def __init__(self, pairs: list[tuple[str, JSON]]) -> None:
        super().__init__(pairs)
        self._arrays = [value for name, value in pairs if name == "results"]

    def array(self) -> list[JSON] | None:
        match self._arrays:
            case [list(array)]:
                return array
        return None


@pytest.mark.parametrize(
    "text",
    [
        b'{"results":[1,]}',
        b'{"results":[,1]}',
        b'{"results":[,]}',
        b'{"results":[1,,2]}',
        b'{"results":[,\r\n1]}',
        b'{"results":[1 2]}',
        b'{"results":[1}}',
        b'{"results":[{"a":1}}, "last_seq":1}',
        b'{"results":[{]}]}',
        b'{"results":[]}{}',
        b'{"results":[]} x',
        b'{"results":[]]',
        b'{"results":[],}',
        b'{"results":[] "a":1}',
        b'{"results":[],"results":[1]}',
        b'{"results":[1],"results":[]}',
        b'{"a" 1,"results":[1]}',
        b'{"results":{}}',
        b'{"results":null}',
        b'{"error":"x","reason":"y"}',
        b'{"rows":[]}',
        b'{"in":{"results":[]}}',
        b'{"results" [1]}',
        b"[]",
        b"[1,2]",
        b"7",
        b'"results"',
        b"<html>no</html>",
        b'{"results":[NaN]}',
        b'{"results":[1e999]}',
        b'{"results":["\xff"]}',
        b'{"results":["\\ud800"]}',
        b'{"results":["a\nb"]}',
        b"\xef\xbb\xbf" + b'{"results":[]}',
    ],
)
@pytest.mark.parametrize("size", [1, 3, 1000])
def test_what_is_no_such_answer(text: bytes, size: int) -> None:
    with pytest.raises(ReplicaError) as refusal:
        read(text[at : at + size] for at in range(0, len(text), size))
    assert refusal.value.error == "bad_answer"


def test_nothing_at_all_is_cut_off() -> None:
    with pytest.raises(Unavailable):
        read([])
    with pytest.raises(Unavailable):
        read([b" \n"])


def test_an_element_comes_when_it_is_whole() -> None:
    it = reader()
    assert it.feed(b'{"results":[\n{"a":1},\r\n{"a":2}') == [{"a": 1}]
    assert it.feed(b",\r\n") == [{"a": 2}]
    assert it.feed(b'{"a":3}\n],\n"last_seq":9}\n') == [{"a": 3}]
    assert it.finish() == {"last_seq": 9}


@pytest.mark.parametrize("between", [b",\r\n", b",\n", b","])
def test_a_layout_that_changes_on_the_way(between: bytes) -> None:
    rows = [{"id": f"d{n}", "list": [{"id": 1}, {"id": 2}], "text": ",\n{"} for n in range(300)]
    some = between.join(map(dumps, rows))
    pretty = json.dumps(rows, indent=2).encode()[1:-1]
    text = b'{"results":[' + some + b"," + pretty + b"," + some + b'],"last_seq":"5-x"}'
    for size in (7, 100, 5000, 10**6):
        found = read(text[at : at + size] for at in range(0, len(text), size))
        assert found == (rows * 3, {"last_seq": "5-x"})


def test_an_element_that_never_ends_is_given_up() -> None:
    it = reader(limit_bytes=100_000)
    it.feed(b'{"results":["')
    it.feed(b"x" * 99_000)
    with pytest.raises(ReplicaError, match="more than 100000 bytes") as refusal:
        it.feed(b"x" * 4000)
    assert refusal.value.error == "bad_answer"


@pytest.mark.parametrize(
    "fill", [b"x", b"\\u0041", b"[],", b"[[[[[[[[[1]]]]]]]]],", b'"a,b",', b'{"c":[1]},']
)
def test_a_large_element_takes_time_as_its_size(fill: bytes) -> None:
    """Nothing is looked at again and again: half a MB in small pieces take no minutes."""
    quoted = fill in (b"x", b"\\u0041")
    inner = fill * (500_000 // len(fill))
    element = b'"' + inner + b'"' if quoted else b"[" + inner + b"1]"
    text = b'{"results":[' + element + b"," + element + b"]}"
    elements, _ = read(text[at : at + 8192] for at in range(0, len(text), 8192))
    assert elements == [json.loads(element)] * 2


def test_memory_does_not_grow_with_the_rows() -> None:
    row = dumps({"seq": "1-" + "x" * 100, "id": "task", "changes": [{"rev": "1-a"}]})
    chunk = b",\r\n".join([row] * 10)
    it = reader()
    it.feed(b'{"results":[\n')
    tracemalloc.start()
    try:
        count = 0
        for number in range(5000):
            count += len(it.feed(chunk + b",\r\n"))
            if number == 10:
                tracemalloc.reset_peak()
                start, _ = tracemalloc.get_traced_memory()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    count += len(it.feed(row + b"\n]}"))
    assert it.finish() == {}
    assert count == 50_001
    assert peak - start < 200_000
