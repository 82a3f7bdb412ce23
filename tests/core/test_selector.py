"""Selectors: the operators one by one, what CouchDB 3.5.0 answered, and laws.

https://docs.couchdb.org/en/stable/api/database/find.html#selector-syntax
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from couchmend.core.collation import compare
from couchmend.core.selector import Selector
from couchmend.core.selector_normal import MAX_DEPTH
from couchmend.core.selector_ranges import Limit, Range
from couchmend.errors import BadRequest

RECORDED = Path(__file__).parent.parent / "contract" / "couchdb-3.5.0-selectors.jsonl"

MOVIE = {
    "_id": "movie:1",
    "_rev": "1-a",
    "title": "Live And Let Die",
    "year": 1973,
    "rating": 7.5,
    "genre": ["Crime", "Drama", "Thriller"],
    "imdb": {"rating": 6.8, "votes": 2, "tags": {"cult": 1, "bond": 2}},
    "cast": [{"name": "Moore", "age": 45}, {"name": "Seymour", "age": 22}],
    "gone": None,
    "seen": False,
    "a.dot": "dotted",
    "empty": {},
    "scores": [80, 82, 90],
}

MATCHING: list[dict[str, Any]] = [
    {},
    {"title": "Live And Let Die"},
    {"title": "Live And Let Die", "year": 1973},
    {"year": 1973.0},
    {"imdb": {"rating": 6.8}},
    {"imdb.rating": 6.8},
    {"imdb": {"tags.cult": 1}},
    {"empty": {}},
    {"a\\.dot": "dotted"},
    {"genre.1": "Drama"},
    {"cast.0.name": "Moore"},
    {"gone": None},
    {"seen": False},
    {"year": {"$lt": 1974}},
    {"year": {"$lte": 1973}},
    {"year": {"$eq": 1973}},
    {"year": {"$ne": 1974}},
    {"year": {"$gte": 1973}},
    {"year": {"$gt": 1972, "$lt": 1974}},
    {"year": {"$gt": None}},
    {"year": {"$lt": "any string"}},
    {"genre": {"$gt": "any string"}},
    {"genre": {"$lt": {}}},
    {"title": {"$gt": "LIVE"}},
    {"title": {"$lt": "live and let dye"}},
    {"gone": {"$exists": True}},
    {"missing": {"$exists": False}},
    {"imdb.missing": {"$exists": False}},
    {"gone": {"$type": "null"}},
    {"seen": {"$type": "boolean"}},
    {"rating": {"$type": "number"}},
    {"title": {"$type": "string"}},
    {"genre": {"$type": "array"}},
    {"imdb": {"$type": "object"}},
    {"year": {"$in": [1, 1973]}},
    {"genre": {"$in": ["Comedy", "Drama"]}},
    {"year": {"$nin": [1, 2]}},
    {"genre": {"$nin": ["Comedy"]}},
    {"year": {"$nin": []}},
    {"genre": {"$size": 3}},
    {"year": {"$mod": [100, 73]}},
    {"title": {"$regex": "^Live"}},
    {"title": {"$regex": "(?i)let d"}},
    {"title": {"$beginsWith": "Live "}},
    {"title": {"$beginsWith": ""}},
    {"genre": {"$all": ["Drama", "Crime"]}},
    {"genre": {"$all": [["Crime", "Drama", "Thriller"]]}},
    {"genre": {"$elemMatch": {"$eq": "Drama"}}},
    {"scores": {"$elemMatch": {"$gte": 81, "$lt": 85}}},
    {"cast": {"$elemMatch": {"name": "Moore", "age": {"$gt": 40}}}},
    {"cast": {"$allMatch": {"age": {"$gt": 20}}}},
    {"imdb.tags": {"$keyMapMatch": {"$eq": "cult"}}},
    {"$and": [{"year": 1973}, {"seen": False}]},
    {"$and": []},
    {"$or": [{"year": 1}, {"year": 1973}]},
    {"$or": []},
    {"$nor": [{"year": 1}, {"year": 2}]},
    {"$not": {"year": 1}},
    {"year": {"$not": {"$lt": 1900}}},
    {"year": {"$or": [1, 1973]}},
    {"title": {"$not": {"$regex": "^Die"}}},
    {"genre": {"$not": {"$size": 2}}},
    {"scores": {"$elemMatch": {"$nor": [{"$lt": 85}, {"$gt": 95}]}}},
    {"_id": "movie:1"},
    {"_id": {"$gt": None}},
    {"_id": {"$gt": {"after": "every object"}}},
    {"_id": {"$gt": "M"}},
]

NOT_MATCHING: list[dict[str, Any]] = [
    {"title": "live and let die"},
    {"year": "1973"},
    {"year": True},
    {"seen": 0},
    {"gone": False},
    {"imdb": {}},
    {"empty": []},
    {"missing": None},
    {"missing": {"$ne": 1}},
    {"missing": {"$not": {"$eq": 1}}},
    {"missing": {"$nin": []}},
    {"$not": {"missing": 1}},
    {"missing": {"$exists": True}},
    {"title.deeper": {"$exists": False}},
    {"genre.3": {"$exists": False}},
    {"genre.Crime": 1},
    {"genre.-1": "Thriller"},
    {"year": {"$lt": None}},
    {"year": {"$gt": "any string"}},
    {"year": {"$type": "string"}},
    {"year": {"$type": "integer"}},
    {"genre": {"$in": []}},
    {"genre": {"$in": [["Crime", "Drama", "Thriller"]]}},
    {"genre": {"$nin": ["Drama"]}},
    {"genre": {"$size": 2}},
    {"title": {"$size": 16}},
    {"rating": {"$mod": [1, 0]}},
    {"title": {"$regex": "^live"}},
    {"year": {"$regex": "1"}},
    {"title": {"$beginsWith": "live"}},
    {"year": {"$beginsWith": "1"}},
    {"genre": {"$all": []}},
    {"genre": {"$all": ["Drama", "Comedy"]}},
    {"scores": {"$all": [80.0]}},
    {"title": {"$all": ["Live And Let Die"]}},
    {"title": {"$elemMatch": {"$eq": "L"}}},
    {"scores": {"$elemMatch": {"$gt": 95}}},
    {"cast": {"$allMatch": {"age": {"$gt": 30}}}},
    {"missing": {"$allMatch": {"$gt": 0}}},
    {"cast": {"$keyMapMatch": {"$eq": "name"}}},
    {"empty": {"$keyMapMatch": {"$exists": True}}},
    {"$and": [{"year": 1973}, {"seen": True}]},
    {"$and": [{}]},
    {"$nor": [{"year": 1973}]},
    {"_id": {"$lt": []}},
    {"_id": {"$lt": "n", "$gt": "mp"}},
]


@pytest.mark.parametrize("selector", MATCHING, ids=json.dumps)
def test_matches(selector: dict[str, Any]) -> None:
    assert Selector(selector).matches(MOVIE)


@pytest.mark.parametrize("selector", NOT_MATCHING, ids=json.dumps)
def test_does_not_match(selector: dict[str, Any]) -> None:
    assert not Selector(selector).matches(MOVIE)


@pytest.mark.parametrize(
    ("value", "divisor", "remainder", "matches"),
    [
        (7, 4, 3, True),
        (-7, 4, -3, True),
        (-7, 4, 1, False),
        (7, -4, 3, True),
        (10**30 + 1, 10, 1, True),
        (True, 1, 0, False),
        (4.0, 2, 0, False),
    ],
)
def test_remainders_have_the_sign_of_the_value(
    value: Any, divisor: int, remainder: int, matches: bool
) -> None:
    assert Selector({"n": {"$mod": [divisor, remainder]}}).matches({"n": value}) is matches


@pytest.mark.parametrize(
    ("text", "prefix", "matches"),
    [
        ("éa", "é", True),
        ("e\u0301a", "e", False),  # the first character is é
        ("e\u0301a", "e\u0301", True),
        ("a👨\u200d👩b", "a👨", False),
        ("cafe", "café", False),
    ],
)
def test_a_prefix_ends_with_a_whole_character(text: str, prefix: str, matches: bool) -> None:
    assert Selector({"s": {"$beginsWith": prefix}}).matches({"s": text}) is matches


# --- the normal form


@pytest.mark.parametrize(
    ("selector", "normal"),
    [
        ({}, {}),
        ({"a": 1}, {"a": {"$eq": 1}}),
        ({"a": {}}, {"a": {"$eq": {}}}),
        ({"a": [1, {"$x": 2}]}, {"a": {"$eq": [1, {"$x": 2}]}}),
        ({"a": 1, "b": 2}, {"$and": [{"a": {"$eq": 1}}, {"b": {"$eq": 2}}]}),
        ({"a": {"$gt": 1, "$lt": 5}}, {"$and": [{"a": {"$gt": 1}}, {"a": {"$lt": 5}}]}),
        ({"a": {"b": {"c": 1}}}, {"a.b.c": {"$eq": 1}}),
        ({"a": {"$or": [1, {"b": 2}]}}, {"$or": [{"a": {"$eq": 1}}, {"a.b": {"$eq": 2}}]}),
        ({"$not": {"a": {"$gt": 1}}}, {"a": {"$lte": 1}}),
        ({"a": {"$not": {"$exists": True}}}, {"a": {"$exists": False}}),
        ({"a": {"$not": {"$regex": "x"}}}, {"a": {"$not": {"$regex": "x"}}}),
        ({"$not": {"$not": {"a": 1}}}, {"a": {"$eq": 1}}),
        (
            {"$nor": [{"a": 1, "b": {"$in": [2]}}]},
            {"$and": [{"$or": [{"a": {"$ne": 1}}, {"b": {"$nin": [2]}}]}]},
        ),
        ({"a": {"$elemMatch": {"$gt": 1}}}, {"a": {"$elemMatch": {"": {"$gt": 1}}}}),
        ({"a": {"$elemMatch": {"b": 1}}}, {"a": {"$elemMatch": {"b": {"$eq": 1}}}}),
    ],
)
def test_the_normal_form(selector: dict[str, Any], normal: dict[str, Any]) -> None:
    assert Selector(selector).normal == normal


@pytest.mark.parametrize(
    ("selector", "error", "reason"),
    [
        (5, "invalid_selector_json", "Selector must be a JSON object, not: 5"),
        (["a"], "invalid_selector_json", "Selector must be a JSON object, not: [<<97>>]"),
        ({"$bad": 1}, "invalid_operator", "Invalid operator: $bad"),
        ({"a": {"$regex": 5}}, "invalid_operator", "Invalid operator: $regex"),
        ({"$where": "x"}, "not_supported", "Unsupported operator: $where"),
        ({"$text": "x"}, "not_supported", "Unsupported operator: $text"),
        (
            {"": 1},
            "invalid_selector",
            "One or more conditions is missing a field name.",
        ),
        ({"a..b": 1}, "invalid_field_name", "Invalid field name: a..b"),
        ({"a": {"": 1}}, "invalid_field_name", "Invalid field name: a."),
        ({"a": {"$in": "abc"}}, "bad_arg", "Bad argument for operator $in: <<97,98,99>>"),
        (
            {"a": {"$in": {"a": [1.5, None, "é", True, 1e22]}}},
            "bad_arg",
            "Bad argument for operator $in: {[{<<97>>,[1.5,null,<<195,169>>,true,1.0e22]}]}",
        ),
        ({"a": {"$regex": "(a"}}, "bad_arg", "Bad argument for operator $regex: <<40,97>>"),
        ({"a": {"$mod": [0, 1]}}, "bad_arg", "Bad argument for operator $mod: [0,1]"),
        ({"a": {"$mod": [True, 1]}}, "bad_arg", "Bad argument for operator $mod: [true,1]"),
        ({"a": {"$size": True}}, "bad_arg", "Bad argument for operator $size: true"),
    ],
)
def test_refused(selector: Any, error: str, reason: str) -> None:
    with pytest.raises(BadRequest) as refusal:
        Selector(selector)
    assert (refusal.value.error, refusal.value.reason) == (error, reason)


def test_a_bad_argument_is_explained() -> None:
    with pytest.raises(BadRequest) as refusal:
        Selector({"a": {"$regex": "(a+)+"}})
    assert "repeats a repetition" in refusal.value.hint
    with pytest.raises(BadRequest) as refusal:
        Selector({"a": {"$exists": 1}})
    assert refusal.value.hint == "it takes true or false"


def test_a_selector_has_a_greatest_depth() -> None:
    def nested(levels: int) -> dict[str, Any]:
        selector: dict[str, Any] = {"a": 1}
        for _ in range(levels - 1):
            selector = {"a": selector}
        return selector

    assert Selector(nested(MAX_DEPTH)).matches(nested(MAX_DEPTH))
    for deep in (nested(MAX_DEPTH + 1), nested(10**5)):
        with pytest.raises(BadRequest, match="nested too deeply"):
            Selector(deep)


# --- what CouchDB 3.5.0 answered


def recorded() -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    docs, *cases = map(json.loads, RECORDED.read_text().splitlines())
    return docs, cases


def test_selectors_match_what_they_match_in_couchdb() -> None:
    docs, cases = recorded()
    matching = [case for case in cases if "ids" in case]
    assert len(matching) > 400
    for case in matching:
        selector = Selector(case["selector"])
        found = [doc["_id"] for doc in docs if selector.matches(doc)]
        assert sorted(found) == sorted(case["ids"]), case["selector"]


def test_selectors_have_couchdbs_normal_form() -> None:
    for case in recorded()[1]:
        if "normal" in case:
            assert Selector(case["selector"]).normal == case["normal"], case["selector"]


def test_selectors_are_refused_as_couchdb_refuses_them() -> None:
    refused = [case for case in recorded()[1] if "error" in case]
    assert len(refused) > 25
    for case in refused:
        with pytest.raises(BadRequest) as refusal:
            Selector(case["selector"])
        assert (refusal.value.error, refusal.value.reason) == (case["error"], case["reason"])


# --- laws

values: st.SearchStrategy[Any] = st.recursive(
    st.sampled_from([None, True, False, 0, 1, 2, 1.5, -1, "", "a", "A", "b", "é", "10"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("ab"), inner),
    max_leaves=4,
)
documents = st.fixed_dictionaries(
    {"_id": st.sampled_from("abc")}, optional=dict.fromkeys("abc", values)
)
comparisons = st.sampled_from(["$lt", "$lte", "$eq", "$ne", "$gt", "$gte"])
conditions = st.one_of(
    st.builds(lambda name, value: {name: value}, comparisons, values),
    st.builds(lambda value: {"$exists": value}, st.booleans()),
    st.builds(lambda value: {"$in": value}, st.lists(values, max_size=3)),
    st.builds(lambda value: {"$nin": value}, st.lists(values, max_size=3)),
    st.builds(lambda value: {"$all": value}, st.lists(values, max_size=2)),
    st.builds(lambda value: {"$size": value}, st.integers(0, 2)),
    st.builds(lambda value: {"$type": value}, st.sampled_from(["null", "string", "array"])),
    st.builds(lambda value: {"$beginsWith": value}, st.sampled_from(["a", "", "A"])),
    st.builds(lambda value: {"$regex": value}, st.sampled_from(["^a", "[0-9]"])),
)
fields = st.sampled_from(["a", "b", "c", "a.b", "b.0"])
selectors: st.SearchStrategy[dict[str, Any]] = st.recursive(
    st.dictionaries(fields, conditions, min_size=1, max_size=2),
    lambda inner: st.one_of(
        st.builds(lambda parts: {"$and": parts}, st.lists(inner, min_size=1, max_size=2)),
        st.builds(lambda parts: {"$or": parts}, st.lists(inner, min_size=1, max_size=2)),
        st.builds(lambda parts: {"$nor": parts}, st.lists(inner, min_size=1, max_size=2)),
        st.builds(lambda part: {"$not": part}, inner),
        st.builds(lambda name, part: {name: {"$elemMatch": part}}, fields, inner),
    ),
    max_leaves=4,
)


@given(selectors)
def test_the_normal_form_is_its_own(selector: dict[str, Any]) -> None:
    normal = Selector(selector).normal
    assert Selector(normal).normal == normal


@given(selectors, documents)
def test_a_selector_and_its_normal_form_match_the_same(
    selector: dict[str, Any], doc: dict[str, Any]
) -> None:
    found = Selector(selector)
    assert found.matches(doc) == Selector(found.normal).matches(doc)


@given(conditions, values)
def test_not_is_the_opposite_for_a_field_that_exists(condition: dict[str, Any], value: Any) -> None:
    doc = {"x": value}
    matches = Selector({"x": condition}).matches(doc)
    assert Selector({"x": {"$not": condition}}).matches(doc) is not matches
    assert Selector({"$nor": [{"x": condition}]}).matches(doc) is not matches
    assert Selector({"x": {"$not": {"$not": condition}}}).matches(doc) is matches


@given(comparisons, values, values)
def test_comparisons_are_those_of_the_collation(name: str, argument: Any, value: Any) -> None:
    order = compare(value, argument)
    expected = {
        "$lt": order < 0,
        "$lte": order <= 0,
        "$eq": order == 0,
        "$ne": order != 0,
        "$gt": order > 0,
        "$gte": order >= 0,
    }
    assert Selector({"x": {name: argument}}).matches({"x": value}) is expected[name]


@given(selectors, selectors, documents)
def test_and_and_or(a: dict[str, Any], b: dict[str, Any], doc: dict[str, Any]) -> None:
    matches_a, matches_b = Selector(a).matches(doc), Selector(b).matches(doc)
    assert Selector({"$and": [a, b]}).matches(doc) == (matches_a and matches_b)
    assert Selector({"$or": [a, b]}).matches(doc) == (matches_a or matches_b)


@given(selectors, documents)
def test_what_matches_lies_in_the_ranges(selector: dict[str, Any], doc: dict[str, Any]) -> None:
    found = Selector(selector)
    if not found.matches(doc):
        return
    for field, allowed in found.ranges():
        assert allowed is not None
        value: Any = doc
        for name in field.split("."):
            if isinstance(value, list):
                value = value[int(name)]
            elif name in value:
                value = value[name]
            else:
                break  # `$exists: false` allows every value, and none
        else:
            if allowed.low is not Limit.LOWEST:
                assert compare(allowed.low, value) < (1 if allowed.low_included else 0)
            if allowed.high is not Limit.HIGHEST:
                assert compare(value, allowed.high) < (1 if allowed.high_included else 0)


@given(selectors, documents, st.lists(st.sampled_from("abc"), max_size=2))
def test_what_is_required_is_there(
    selector: dict[str, Any], doc: dict[str, Any], names: list[str]
) -> None:
    found = Selector(selector)
    if found.matches(doc) and found.requires(names):
        assert all(name in doc for name in names)


# --- for planners


@pytest.mark.parametrize(
    ("selector", "ranges"),
    [
        ({"a": 5}, [("a", Range.exactly(5))]),
        ({"a": {"$gt": 1, "$lte": 5}}, [("a", Range(1, False, 5, True))]),
        ({"a": {"$gte": 1, "$gt": 1}}, [("a", Range(1, False))]),
        ({"a": {"$gte": 2, "$lte": 2}}, [("a", Range.exactly(2))]),
        ({"a": {"$gt": 2, "$lt": 2}}, [("a", None)]),
        ({"a": {"$gt": 5}, "b": 1, "$and": [{"a": 3}]}, [("a", None)]),
        ({"a": {"$exists": True}}, [("a", Range())]),
        ({"a": {"$beginsWith": "x"}}, [("a", Range("x", True, "x\uffff", True))]),
        ({"b": {"$lt": "x"}, "a": {"$ne": 1}}, [("b", Range(high="x"))]),
        ({"$or": [{"a": 1}, {"a": 2}]}, []),
        ({"_id": {"$gt": "B", "$lt": "b"}}, [("_id", Range("B", False, "b", False))]),
        ({}, []),
    ],
)
def test_ranges(selector: dict[str, Any], ranges: list[tuple[str, Range | None]]) -> None:
    found = Selector(selector)
    assert found.ranges() == ranges
    if None not in dict(ranges).values():
        assert found.indexable_fields() == [field for field, _ in ranges]


@pytest.mark.parametrize(
    ("selector", "field", "required"),
    [
        ({"a": 1}, "a", True),
        ({"a": {"$ne": 1}}, "a", True),
        ({"a": {"$exists": False}}, "a", False),
        ({"$or": [{"a": 1}, {"a": 2, "b": 1}]}, "a", True),
        ({"$or": [{"a": 1}, {"b": 1}]}, "a", False),
        ({"$or": []}, "a", False),
        ({"$nor": [{"a": 1}]}, "a", True),
        ({}, "a", False),
    ],
)
def test_required_fields(selector: dict[str, Any], field: str, required: bool) -> None:
    assert Selector(selector).requires([field]) is required


@pytest.mark.parametrize(
    ("selector", "constant"),
    [
        ({"a": 1}, True),
        ({"a": 1, "b": {"$gt": 2}}, True),
        ({"a": {"$gt": 1}}, False),
        ({"$or": [{"a": 1}, {"a": 1}]}, False),
        ({}, False),
    ],
)
def test_constant_fields(selector: dict[str, Any], constant: bool) -> None:
    assert Selector(selector).is_constant("a") is constant
    assert not Selector(selector).is_constant("zz")


def test_a_selector_shows_its_normal_form() -> None:
    assert repr(Selector({"a": 1})) == "Selector({'a': {'$eq': 1}})"
    assert Selector({"a": 1, "$or": [{"b": 2}]}).fields() == ["a", "b"]
