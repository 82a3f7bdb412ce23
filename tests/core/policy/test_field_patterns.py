"""Patterns of paths: what they match, and which of several holds."""

from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from couchmend.core.paths import Element, Path, Step
from couchmend.core.policy.patterns import Pattern, Patterns, Reach, Wild
from couchmend.errors import UsageError

FIRST = Element("id", 1)


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("title", ("title",)),
        ("address.city", ("address", "city")),
        ("due-date", ("due-date",)),
        ("größe.名前", ("größe", "名前")),
        ("$ref.#1", ("$ref", "#1")),
        ("settings.*", ("settings", Wild.MEMBER)),
        ("settings.**", ("settings", Wild.DEEP)),
        ("**.color", (Wild.DEEP, "color")),
        ("subtasks[].done", ("subtasks", Wild.ELEMENT, "done")),
        ("grid[][]", ("grid", Wild.ELEMENT, Wild.ELEMENT)),
        ("[].x", (Wild.ELEMENT, "x")),
        ('"a.b".c', ("a.b", "c")),
        ('a."[]"', ("a", "[]")),
        ('"*"', ("*",)),
        ('""', ("",)),
        (r'"say \"hi\" é"', ('say "hi" é',)),
    ],
)
def test_a_pattern_is_read(text: str, steps: tuple[str | Wild, ...]) -> None:
    assert Pattern.parse(text).steps == steps


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("", 1),
        (".", 1),
        ("a.", 3),
        ("a..b", 3),
        ("a b", 2),
        ("a*", 2),
        ("***", 3),
        ("a[0]", 2),
        ("a.[]", 3),
        ("a[]b", 4),
        ('"a', 1),
        ('"a"b', 4),
        (r'x."\q"', 3),
    ],
)
def test_what_is_no_pattern_is_refused_with_the_place(text: str, place: int) -> None:
    with pytest.raises(UsageError) as refused:
        Pattern.parse(text)
    assert f"at character {place}" in refused.value.message
    assert "subtasks[].done" in refused.value.hint


@given(st.lists(st.text(max_size=4), min_size=1, max_size=4))
@example(["a.b", "", "*", '"', "\\", "x y", "[]"])
def test_names_are_written_as_a_pattern_that_names_them(names: list[str]) -> None:
    pattern = Pattern.of_names(names)
    assert pattern.names == tuple(names)
    assert Pattern.parse(pattern.text) == pattern


def test_only_a_pattern_of_names_names_a_place() -> None:
    assert Pattern.parse("a.b").names == ("a", "b")
    assert Pattern.parse("a.*").names == ()
    assert Pattern.parse("a[].b").names == ()


MATCHES: list[tuple[str, list[Path], list[Path]]] = [
    # pattern, what it covers, what it does not
    ("title", [("title",), ("title", "en"), ("title", 0, "x")], [(), ("a", "title"), ("Title",)]),
    ("a.b", [("a", "b"), ("a", "b", "c")], [("a",), ("a", "c"), ("b",)]),
    ("a.*", [("a", "b"), ("a", "b", "c")], [("a",), ("a", 0)]),
    ("a[]", [("a", 0), ("a", FIRST), ("a", 7, "b")], [("a",), ("a", "b")]),
    ("a[].b", [("a", 0, "b"), ("a", FIRST, "b", "c")], [("a", 0), ("a", "b"), ("a", 0, 1, "b")]),
    ("a.**", [("a", "b"), ("a", 0), ("a", FIRST, "c", "d")], [(), ("a",), ("b", "a")]),
    ("**", [("a",), ("a", 0, "b"), (0,)], [()]),
    ("**.x", [("x",), ("a", "x"), ("a", 0, "x", "y")], [(), ("a",), ("a", 0)]),
    ("a.**.x", [("a", "x"), ("a", "b", 0, "x")], [("x",), ("a",), ("b", "a", "x")]),
    ("**[]", [(0,), ("a", 0), ("a", "b", FIRST)], [(), ("a",)]),
]


@pytest.mark.parametrize(("text", "covered", "left"), MATCHES, ids=[row[0] for row in MATCHES])
def test_what_a_pattern_covers(text: str, covered: list[Path], left: list[Path]) -> None:
    patterns = Patterns({Pattern.parse(text): True})
    assert [path for path in covered if not patterns.at(path)] == []
    assert [path for path in left if patterns.at(path)] == []


@pytest.mark.parametrize(
    ("path", "ranked"),
    [
        # the most specific first
        (("a", "b"), ["a.b", "a.*", "a.**", "a", "*.b", "*.*", "*", "**.b", "**"]),
        (("a", 0, "b"), ["a[].b", "a[].*", "a[]", "a.**.b", "a.**", "a", "*", "**.b"]),
        (("a", "b", "c"), ["a.b.c", "a.b.*", "a.b", "a.*.c", "a.*", "a.**.c", "a.**", "a"]),
    ],
)
def test_the_most_specific_pattern_holds(path: Path, ranked: list[str]) -> None:
    for place, best in enumerate(ranked):
        texts = ranked[place:]
        assert patterns_of(texts).at(path) == best
        assert patterns_of(reversed(texts)).at(path) == best


def test_equally_specific_patterns_do_not_depend_on_the_order_they_are_written_in() -> None:
    texts = ["**.a", "**.b", "**.a.**", "**.b.**"]
    paths: list[Path] = [("a",), ("a", "b"), ("b", "a"), ("a", "b", "x"), ("x", "b", "a", "x")]
    answers = {
        tuple(patterns_of(order).at(path) for path in paths) for order in permutations(texts)
    }
    assert len(answers) == 1
    assert patterns_of(["**.a", "**.b"]).at(("a", "b")) == "**.b"
    assert patterns_of(["**.a", "**.b"]).at(("b", "a")) == "**.a"


def test_patterns_say_whether_others_may_hold_beneath() -> None:
    patterns = patterns_of(["a", "a.b.c", "d.**"])
    assert patterns.value is None
    assert patterns.goes_on
    a = patterns.beneath("a")
    assert (a.value, a.goes_on) == ("a", True)
    assert (a.beneath("x").value, a.beneath("x").goes_on) == ("a", False)
    assert a.beneath("b").goes_on
    c = a.beneath("b").beneath("c")
    assert (c.value, c.goes_on) == ("a.b.c", False)
    assert patterns.beneath("d").value is None
    assert patterns.beneath("d").beneath("x").goes_on  # each place beneath by itself
    assert not patterns.beneath("other").goes_on


def test_a_less_specific_pattern_beneath_does_not_count_as_going_on() -> None:
    assert not patterns_of(["a", "**.b"]).beneath("a").goes_on
    assert patterns_of(["a", "**.b"]).at(("a", "b")) == "a"


def test_no_patterns_hold_nowhere() -> None:
    nothing: Patterns[str] = Patterns({})
    assert nothing.at(("a", 0)) is None
    assert not nothing.goes_on


def test_deep_documents_do_not_make_ever_more_places() -> None:
    patterns = patterns_of(["**.a", "**.b[]", "**.c.**"])
    seen = set()
    for number in range(2000):
        node = patterns
        for bit in range(11):
            node = node.beneath(("a", 0)[number >> bit & 1])
            seen.add(id(node))
    assert len(seen) < 20


# --- what reaches less far


def reaching(**reaches: Reach) -> Patterns[str]:
    """Each pattern with its reach; `__` stands for a dot."""
    named = {text.replace("__", "."): reach for text, reach in reaches.items()}
    return Patterns({Pattern.parse(text): text for text in named}, named.__getitem__)


def test_what_is_about_lists_says_nothing_of_their_elements() -> None:
    patterns = reaching(a=Reach.LISTS)
    assert patterns.at(("a",)) == patterns.at(("a", "b", "c")) == "a"
    assert patterns.at(("a", 0)) is patterns.at(("a", FIRST, "b")) is None
    assert patterns.at(("a", "b", 0)) is patterns.at(("a", 0, "b", "a")) is None


def test_beneath_a_list_the_next_most_specific_pattern_holds() -> None:
    patterns = reaching(
        a=Reach.WHOLE, a__b=Reach.LISTS, a__b__c=Reach.LISTS, a__x=Reach.LISTS, x=Reach.LISTS
    )
    assert patterns.at(("a", "b", "c")) == "a.b.c"
    assert patterns.at(("a", "b", "c", 0)) == patterns.at(("a", "b", 0, "c")) == "a"
    assert patterns.at(("a", "b", "d", 0, "e")) == patterns.at(("a", "x", FIRST)) == "a"
    assert patterns.at(("x", 0)) is None


def test_what_reaches_into_members_looks_at_each() -> None:
    patterns = reaching(a=Reach.MEMBERS, b=Reach.LISTS, c=Reach.WHOLE)
    assert [patterns.beneath(name).goes_on for name in "abc"] == [True, True, False]
    assert patterns.beneath("a").beneath("x").goes_on
    assert patterns.at(("a", 0, "x")) == "a"
    assert not patterns.beneath("b").beneath(0).goes_on


# --- against the definition

STEPS: list[Step] = ["a", "b", 0, FIRST]
paths = st.lists(st.sampled_from(STEPS), max_size=5).map(tuple)
texts = st.lists(st.sampled_from(["a", "b", "*", "**", "[]"]), min_size=1, max_size=4).map(
    lambda parts: ".".join(parts).replace(".[]", "[]")
)


def patterns_of(written: object) -> Patterns[str]:
    return Patterns({Pattern.parse(text): text for text in written})  # type: ignore[attr-defined]


def is_match(steps: tuple[str | Wild, ...], path: Path) -> bool:
    """Whether a pattern names exactly this path."""
    if not steps:
        return not path
    if steps[0] is Wild.DEEP:
        least = 1 if len(steps) == 1 else 0
        return any(is_match(steps[1:], path[taken:]) for taken in range(least, len(path) + 1))
    if not path:
        return False
    if isinstance(path[0], str):
        fits = steps[0] in (path[0], Wild.MEMBER)
    else:
        fits = steps[0] is Wild.ELEMENT
    return fits and is_match(steps[1:], path[1:])


def expected(written: set[str], path: Path) -> set[str]:
    """The patterns that may hold: the most specific, and of these the deepest."""
    ranked = [
        (Pattern.parse(text).specificity, length, text)
        for text in written
        for length in range(len(path) + 1)
        if is_match(Pattern.parse(text).steps, path[:length])
    ]
    best = max(ranked, default=((), 0, ""))[:2]
    return {text for *rank, text in ranked if tuple(rank) == best}


@given(st.sets(texts, max_size=4), paths)
@example({"**.a", "**.b"}, ("a", "b"))
@example({"a.**", "a.b"}, ("a", "b", "b"))
def test_what_holds_is_what_the_definition_says(written: set[str], path: Path) -> None:
    found = patterns_of(written).at(path)
    may = expected(written, path)
    assert found in may if may else found is None


@given(st.sets(texts, max_size=4), paths, paths)
def test_where_nothing_goes_on_nothing_changes(written: set[str], path: Path, more: Path) -> None:
    node = patterns_of(written)
    for step in path:
        node = node.beneath(step)
    if not node.goes_on:
        assert node.at(more) == node.value
