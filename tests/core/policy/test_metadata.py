"""Members about the version: the newest timestamp, its device, what is ignored, checksums."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from couchmend.core.document import JSON
from couchmend.core.paths import value_at
from couchmend.core.policy.metadata import (
    CHECKSUM,
    DEVICE,
    DEVICE_FIELDS,
    IGNORED,
    TIMESTAMP,
    TIMESTAMP_FIELDS,
    Checksum,
    checksum_of,
    device_of,
    first_present,
    sealed,
    verify,
)
from couchmend.core.policy.patterns import Pattern
from couchmend.core.policy.resolvers import Context, Resolver, Unresolved
from couchmend.core.policy.versions import Version
from couchmend.core.values import ABSENT, Value

_ = ABSENT


def decide(
    resolver: Resolver, base: Value, current: Value, other: Value, times: tuple[Any, Any] = (1, 2)
) -> Any:
    mine, theirs = Version("current", {}, times[0]), Version("other", {}, times[1], rank=1)
    return resolver.decide(base, current, other, Context(("x",), mine, theirs, {}, True))


@pytest.mark.parametrize(
    ("current", "other", "taken"),
    [
        ("2024-02-01", "2024-03-01", "2024-03-01"),
        ("2024-03-01", "2024-02-01", "2024-03-01"),
        ("2024-02-01T12:00:00Z", "2024-02-01T12:30:00+01:00", "2024-02-01T12:00:00Z"),
        ("2024-02-01T12:00:00Z", "2024-02-01T13:00:00+01:00", "2024-02-01T12:00:00Z"),
        (1709208000, 1709208000001, 1709208000001),
        (1709208000, "2024-02-29T12:00:01Z", "2024-02-29T12:00:01Z"),
        # unreadable ones lose
        ("yesterday", "1970-01-01", "1970-01-01"),
        ("1970-01-01", "yesterday", "1970-01-01"),
        (None, -1, -1),
        (_, 5, 5),
        (5, _, 5),
        (_, "today", "today"),
        ("today", _, "today"),
        (None, _, None),
    ],
)
def test_the_newest_timestamp(current: Value, other: Value, taken: Value) -> None:
    # also where only one side changed it
    for base in (_, current, other):
        assert decide(TIMESTAMP, base, current, other) is taken


def test_what_is_no_time_on_either_side_is_a_field_like_any() -> None:
    assert decide(TIMESTAMP, "yesterday", "yesterday", "today") == "today"
    assert decide(TIMESTAMP, "yesterday", "today", "yesterday") == "today"
    assert decide(TIMESTAMP, False, False, True) is True
    assert isinstance(decide(TIMESTAMP, _, "yesterday", "today"), Unresolved)
    assert isinstance(decide(TIMESTAMP, {"by": "a"}, {"by": "b"}, {"by": "c"}), Unresolved)


@pytest.mark.parametrize(
    ("times", "taken"),
    [((1, 2), "laptop"), ((2, 1), "phone"), ((1, 1), "phone"), ((None, None), "phone"),
     ((None, 1), "laptop"), ((1, None), "phone")],
)  # fmt: skip
def test_the_device_of_the_newest_version(times: tuple[Any, Any], taken: str) -> None:
    for base in (_, "phone", "laptop"):
        assert decide(DEVICE, base, "phone", "laptop", times) == taken


def test_a_newest_version_that_names_no_device_leaves_none() -> None:
    assert decide(DEVICE, "phone", "phone", _, (1, 2)) is ABSENT


@pytest.mark.parametrize(
    ("base", "current", "other", "times", "taken"),
    [
        (1, 1, 2, (9, 1), 2),
        (1, 2, 1, (1, 9), 2),
        (1, _, 1, (1, 9), _),
        (_, _, 1, (9, 1), 1),
        (1, 2, 3, (1, 9), 3),
        (1, 2, 3, (9, 1), 2),
        (1, 2, 3, (5, 5), 2),
    ],
)
def test_what_is_ignored_is_merged_three_way_and_else_the_newest_versions(
    base: Value, current: Value, other: Value, times: tuple[Any, Any], taken: Value
) -> None:
    assert decide(IGNORED, base, current, other, times) is taken


def test_a_checksum_is_left_in_its_place_for_later() -> None:
    assert decide(CHECKSUM, "a", "b", "c") == "b"
    assert decide(CHECKSUM, "a", _, "c") == "c"


# --- names


def test_the_usual_names_are_known() -> None:
    for name in ("updatedAt", "updated_at", "modified", "modifiedAt", "lastModified", "mtime"):
        assert name in TIMESTAMP_FIELDS
    for name in ("deviceId", "device_id", "updatedBy"):
        assert name in DEVICE_FIELDS
    assert not set(TIMESTAMP_FIELDS) & set(DEVICE_FIELDS)
    assert len(set(TIMESTAMP_FIELDS)) == len(TIMESTAMP_FIELDS)
    assert len(set(DEVICE_FIELDS)) == len(DEVICE_FIELDS)


def test_no_default_name_is_content_in_usual_applications() -> None:
    content = {
        "date", "time", "timestamp", "created", "createdAt", "created_at", "dueDate", "start",
        "end", "reported_date", "completedAt", "deletedAt", "publishedAt", "edited", "changed",
        "device", "deviceName", "user", "userId", "author", "owner", "assignee", "createdBy",
        "client", "clientId", "source", "version", "_id", "id", "status",
    }  # fmt: skip
    assert not content & {*TIMESTAMP_FIELDS, *DEVICE_FIELDS}


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ({"b": 2, "a": 1}, 1),
        ({"b": 2}, 2),
        ({"a": None, "b": 2}, 2),
        ({"a": False, "b": 2}, False),
        ({"c": {"d": 3}}, 3),
        ({"c": 4}, ABSENT),
        ({}, ABSENT),
        ([], ABSENT),
        (None, ABSENT),
        (ABSENT, ABSENT),
    ],
)
def test_of_several_members_the_first_present_counts(body: Value, found: Value) -> None:
    assert first_present(body, [("a",), ("b",), ("c", "d")]) is found


@pytest.mark.parametrize(
    ("value", "name"),
    [("phone", "phone"), (7, "7"), ("", None), (True, None), (None, None), (ABSENT, None),
     ({"id": 1}, None)],
)  # fmt: skip
def test_a_device_has_a_name_or_a_number(value: Value, name: str | None) -> None:
    assert device_of(value) == name


# --- checksums

BODY: dict[str, JSON] = {
    "title": "Tür",
    "n": 1.0,
    "meta": {"sum": "?", "by": "x"},
    "items": [{"id": 2, "q": 5}, {"q": 6}],
}


def spec(field: str = "meta.sum", over: list[str] | None = None, **more: Any) -> Checksum:
    patterns = None if over is None else tuple(map(Pattern.parse, over))
    return Checksum(Pattern.parse(field).names, over=patterns, **more)


@pytest.mark.parametrize(
    ("over", "form", "covered"),
    [
        (None, "canonical-json",
         '{"items":[{"id":2,"q":5},{"q":6}],"meta":{"by":"x"},"n":1,"title":"Tür"}'),
        (None, "json",
         '{"title":"Tür","n":1.0,"meta":{"by":"x"},"items":[{"id":2,"q":5},{"q":6}]}'),
        (None, "concatenated", 'Tür1.0{"by":"x"}[{"id":2,"q":5},{"q":6}]'),
        (["n", "title"], "canonical-json", '{"n":1,"title":"Tür"}'),
        (["n", "title"], "json", '{"n":1.0,"title":"Tür"}'),
        (["n", "title"], "concatenated", "1.0Tür"),
        (["title", "nothing", "meta"], "json", '{"title":"Tür","meta":{"by":"x"}}'),
        (["items[].q"], "json", '{"items":[{"q":5},{"q":6}]}'),
        (["items[].q", "items[].id"], "json", '{"items":[{"q":5,"id":2},{"q":6}]}'),
        (["items[].q", "items[].id"], "concatenated", "562"),
        (["items[].id", "title"], "json", '{"items":[{"id":2},{}],"title":"Tür"}'),
        (["meta.*"], "json", '{"meta":{"by":"x"}}'),
        (["nothing"], "json", "{}"),
        (["nothing"], "concatenated", ""),
    ],
)  # fmt: skip
def test_what_a_checksum_is_over(over: list[str] | None, form: Any, covered: str) -> None:
    expected = hashlib.sha256(covered.encode()).hexdigest()
    assert checksum_of(BODY, spec(over=over, form=form)) == expected


@pytest.mark.parametrize("algorithm", ["md5", "sha1", "sha256", "sha512"])
def test_the_algorithms(algorithm: str) -> None:
    expected = hashlib.new(algorithm, b'{"a":1}').hexdigest()
    assert checksum_of({"a": 1}, spec("sum", algorithm=algorithm)) == expected


def test_what_couchdb_keeps_beside_the_fields_is_left_out_unless_it_is_named() -> None:
    body = {"_id": "x", "_rev": "1-a", "_attachments": {}, "a": 1}
    assert checksum_of(body, spec()) == checksum_of({"a": 1}, spec())
    assert checksum_of(body, spec(over=["_id"])) == checksum_of({"_id": "x"}, spec(over=["_id"]))


def test_a_checksum_verifies() -> None:
    rule = spec("sum")
    right = checksum_of({"a": 1}, rule)
    assert verify({"a": 1, "sum": right}, rule) is True
    assert verify({"sum": right.upper(), "a": 1.0}, rule) is True
    assert verify({"a": 2, "sum": right}, rule) is False
    assert verify({"a": 1, "sum": 7}, rule) is False
    assert verify({"a": 1, "sum": ""}, rule) is False
    assert verify({"a": 1}, rule) is None
    assert verify({"a": 1, "sum": None}, rule) is None
    assert verify(ABSENT, rule) is None


def test_the_form_says_whether_the_order_of_members_counts() -> None:
    one, other = {"a": 1, "b": 2}, {"b": 2, "a": 1}
    assert checksum_of(one, spec()) == checksum_of(other, spec())
    assert checksum_of(one, spec(form="json")) != checksum_of(other, spec(form="json"))
    ordered = spec(over=["a", "b"], form="json")
    assert checksum_of(one, ordered) == checksum_of(other, ordered)


bodies = st.dictionaries(
    st.sampled_from(["a", "b", "meta"]),
    st.one_of(st.integers(), st.text(max_size=3), st.dictionaries(st.just("sum"), st.text())),
)


@given(bodies, st.sampled_from(["sum", "meta.sum", "b"]))
def test_a_sealed_body_verifies_and_is_otherwise_the_same(body: Any, field: str) -> None:
    rule = spec(field)
    found = sealed(body, rule)
    if value_at(body, rule.field) is ABSENT:
        assert found is body
        return
    assert verify(found, rule) is True
    assert list(found) == list(body)
    assert checksum_of(found, rule) == checksum_of(body, rule)
    assert sealed(found, rule) == found


def test_without_a_checksum_nothing_is_sealed() -> None:
    assert sealed(BODY, None) is BODY
    assert sealed({"a": 1}, spec("sum")) == {"a": 1}
