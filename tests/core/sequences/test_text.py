"""Texts: lines, then words, never characters."""

from __future__ import annotations

import random
from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from couchmend.core.sequences.budget import Budget, TooMuchWork
from couchmend.core.sequences.text import merge_text
from couchmend.core.sequences.words import lines, words
from tests.core.sequences.sequence_strategies import budget, edits_apart

COMBINE = [
    # By lines.
    ("one\ntwo\nthree\n", "ONE\ntwo\nthree\n", "one\ntwo\nTHREE\n", "ONE\ntwo\nTHREE\n"),
    ("a\nb\nc\n", "a\nb\nc\nd\n", "0\na\nb\nc\n", "0\na\nb\nc\nd\n"),
    ("a\nb\nc\n", "b\nc\n", "a\nb\nd\n", "b\nd\n"),
    ("a\nb\n", "a\nx\nb\n", "a\nx\nb\n", "a\nx\nb\n"),
    ("", "a\n", "a\n", "a\n"),
    # By words, where both changed a line or lines that touch.
    ("a quick brown fox\n", "a slow brown fox\n", "a quick brown cat\n", "a slow brown cat\n"),
    (
        "call Ann\nbuy milk\n",
        "call Bob\nbuy milk\n",
        "call Ann\nbuy bread\n",
        "call Bob\nbuy bread\n",
    ),
    ("buy milk\n", "buy milk\ncall Ann\n", "buy oat milk\n", "buy oat milk\ncall Ann\n"),
    ("buy milk", "buy milk today", "please buy milk", "please buy milk today"),
    ("- milk\n- eggs\n", "- milk\n- brown eggs\n", "* milk\n- eggs\n", "* milk\n- brown eggs\n"),
    ("a b c\nd\n", "a b c\n", "A b c\nd\n", "A b c\n"),
    # Spaces are words, too.
    ("  a b\n", "    a b\n", "  a c\n", "    a c\n"),
    ("a b c d", "a  b c d", "a b c  d", "a  b c  d"),
    # The last line's end.
    ("a\nb\nc", "a\nb\nc\n", "A\nb\nc", "A\nb\nc\n"),
    ("a b c", "a b c\n", "A b c", "A b c\n"),
]

CLASH = [
    # Both changed one word, or put something in one place.
    ("one\n", "two\n", "three\n"),
    ("a b c\n", "a x c\n", "a y c\n"),
    # Words next to each other are one place: nobody wrote 11 pm.
    ("at 10 am\n", "at 11 am\n", "at 10 pm\n"),
    ("the quick fox\n", "the slow fox\n", "the quick cat\n"),
    ("a\nb\n", "a\nx\nb\n", "a\ny\nb\n"),
    ("a\n", "a\nx\n", "a\ny\n"),
    ("a\n", "a\nx\n", "a\nx\ny\n"),
    ("a b\n", "a b x\n", "a b y\n"),
    ("", "x", "y"),
    # One removed what the other changed.
    ("a\nb c\nd\n", "a\nd\n", "a\nb x\nd\n"),
    ("a b c d\n", "a d\n", "a b x d\n"),
    ("a b\n", "", "a x\n"),
    # The line that one removed begins like the next one: its bullet is not that one's.
    ("- milk\n- eggs\n", "- eggs\n", "* milk\n- eggs\n"),
    ("- milk\n- eggs\n", "- brown eggs\n", "* milk\n- eggs\n"),
    # Changes that touch.
    ("a b c\n", "a x c\n", "a b  c\n"),
    ("a\nb\n", "a\nb", "a\nb\nc\n"),
    ("a", "a\n", "a\nb"),
    ("a", "a\nb", "a\nc"),
    # Never by characters.
    ("colour", "color", "colours"),
    ("12:30", "12:45", "13:30"),
    # Moved on both sides; moved and removed.
    ("a\nb\nc\nd\n", "b\nc\na\nd\n", "b\nc\nd\na\n"),
    ("a\nb\nc\nd\n", "b\nc\na\nd\n", "b\nc\nd\n"),
]


@pytest.mark.parametrize(("base", "current", "other", "merged"), COMBINE)
def test_changes_in_different_places_combine(
    base: str, current: str, other: str, merged: str
) -> None:
    assert merge_text(base, current, other, budget()) == merged
    assert merge_text(base, other, current, budget()) == merged


@pytest.mark.parametrize(("base", "current", "other"), CLASH)
def test_changes_in_one_place_clash(base: str, current: str, other: str) -> None:
    assert merge_text(base, current, other, budget()) is None
    assert merge_text(base, other, current, budget()) is None


def test_an_empty_line_may_be_moved_by_anyone() -> None:
    merged = merge_text("a\n\nb\nc\nd\n", "a\nb\n\nc\nd\n", "a\nb\nc\nd\n", budget())
    assert merged == "a\nb\n\nc\nd\n"


# --- line ends


@pytest.mark.parametrize(
    ("base", "current", "other", "merged"),
    [
        ("a b\nc\n", "a b\r\nc\r\n", "a X\nc\n", "a X\r\nc\r\n"),
        ("a b\nc\n", "a b\r\nc\r\n", "a b\nc\nd\n", "a b\r\nc\r\nd\r\n"),
        ("a\r\nb\r\n", "a\nb\n", "a\r\nc\r\n", "a\nc\n"),
        ("a\r\nb\r\nc\r\n", "a\r\nb\r\nx\r\n", "0\r\nb\r\nc\r\n", "0\r\nb\r\nx\r\n"),
        ("a\rb\rc\r", "a\rb\rx\r", "0\rb\rc\r", "0\rb\rx\r"),
        ("a\nb\n", "a\r\nb\r\n", "a\r\nb\r\n", "a\r\nb\r\n"),
        ("a\nb\n", "a\r\nb\r\n", "a\nb\n", "a\r\nb\r\n"),
        ("a\nb\n", "a\r\nb\r\n", "", ""),
        # One line's end is a change of that line.
        ("a\nb\nc\n", "a\r\nb\nc\n", "a\nb\nx\n", "a\r\nb\nx\n"),
        ("a\nb\n", "a\rb\r", "a\r\nb\r\n", None),
        ("a\nb\nc\n", "a\r\nb\nc\n", "x\nb\nc\n", None),
        ("a\nb\n", "a\r\nb\n", "a\rb\n", None),
    ],
)
def test_line_ends(base: str, current: str, other: str, merged: str | None) -> None:
    assert merge_text(base, current, other, budget()) == merged
    assert merge_text(base, other, current, budget()) == merged


ENDS = st.sampled_from(["\n", "\r\n", "\r"])


@given(
    st.lists(st.sampled_from(["", "a", "b c", "d e f"]), min_size=1, max_size=6),
    ENDS,
    ENDS,
    st.integers(0, 5),
)
def test_all_line_ends_changed_on_one_side_and_a_line_on_the_other(
    content: list[str], before: str, after: str, edited: int
) -> None:
    base = "".join(line + before for line in content)
    current = "".join(line + after for line in content)
    content[edited % len(content)] = "edited"
    other = "".join(line + before for line in content)
    merged = merge_text(base, current, other, budget())
    assert merged == "".join(line + after for line in content)


# --- writing of all kinds


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        ("one two\r\n", ["one", " ", "two", "\r\n"]),
        ("  one\t two \n", ["  ", "one", "\t ", "two", " ", "\n"]),
        ("", []),
        ("a\u00a0b\u2003c", ["a", "\u00a0", "b", "\u2003", "c"]),
        # A family, a flag, a hand in a colour: one word each.
        ("👩\u200d👩\u200d👧 🇩🇪 👋🏽", ["👩\u200d👩\u200d👧", " ", "🇩🇪", " ", "👋🏽"]),
        ("cafe\u0301 x", ["cafe\u0301", " ", "x"]),
        # A space that carries a mark is no space between words.
        ("a \u0301b", ["a", " \u0301b"]),
        ("a  \u0301b", ["a", " ", " \u0301b"]),
        ("a \u200d b", ["a", " \u200d", " ", "b"]),
        ("a\u00a0\u0308", ["a", "\u00a0\u0308"]),
        ("a \ufe0fb", ["a", " \ufe0fb"]),
        ("a 🏽", ["a", " 🏽"]),
        # A line end or a tab never carries one.
        ("a\n\u0301b", ["a", "\n", "\u0301b"]),
        ("a\t\u0301b", ["a", "\t", "\u0301b"]),
        # An Arabic number sign belongs to what follows.
        ("\u0600 1", ["\u0600 ", "1"]),
        ("שלום עולם", ["שלום", " ", "עולם"]),
        ("我们去。 好", ["我们去。", " ", "好"]),
    ],
)
def test_no_grapheme_is_cut(text: str, cut: list[str]) -> None:
    assert words(text) == cut


PIECES = st.sampled_from(
    ["a", "bc", " ", "  ", "\t", "\n", "\r\n", "\r", "é", "\u0301", "\u200d", "👩", "🏽", "日本",
     "\u00a0", "\u2028", "\x0b", "ש", "\u0600", "\U000e0041"]
)  # fmt: skip
TEXTS = st.lists(PIECES, max_size=12).map("".join)


@given(TEXTS)
@example("\r\n\r\r\n\n")
def test_put_together_again_it_is_the_text(text: str) -> None:
    cut = lines(text)
    assert "".join(cut) == text
    assert all(cut)
    assert "".join(word for line in cut for word in words(line)) == text
    assert all(word for line in cut for word in words(line))
    for line in cut[:-1]:
        assert line.endswith(("\n", "\r"))
    assert not any(one.endswith("\r") and two.startswith("\n") for one, two in pairwise(cut))


@pytest.mark.parametrize(
    ("base", "current", "other", "merged"),
    [
        ("今天 会 下雨\n", "今天 会 下雪\n", "明天 会 下雨\n", "明天 会 下雪\n"),
        ("今天下雨\n", "今天下雪\n", "明天下雨\n", None),
        (
            "買牛奶\n買雞蛋\n看書\n",
            "買豆漿\n買雞蛋\n看書\n",
            "買牛奶\n買雞蛋\n寫信\n",
            "買豆漿\n買雞蛋\n寫信\n",
        ),
        ("שלום עולם טוב\n", "ברוך עולם טוב\n", "שלום עולם רע\n", "ברוך עולם רע\n"),
        (
            "👩\u200d👧 may go\n",
            "👩\u200d👩\u200d👧 may go\n",
            "👩\u200d👧 may run\n",
            "👩\u200d👩\u200d👧 may run\n",
        ),
        ("👩\u200d👧\n", "👩\u200d👩\u200d👧\n", "👩\u200d👦\n", None),
        ("cafe\u0301 au lait\n", "café au lait\n", "cafe\u0301 au thé\n", "café au thé\n"),
        ("cafe noir\n", "cafe\u0301 noir\n", "cafes noir\n", None),
        ("a \u0301b\n", "a b\n", "a \u0302b\n", None),
    ],
)
def test_all_kinds_of_writing(base: str, current: str, other: str, merged: str | None) -> None:
    assert merge_text(base, current, other, budget()) == merged


# --- laws


@given(TEXTS, TEXTS)
def test_with_one_side_unchanged_it_is_the_others(base: str, side: str) -> None:
    assert merge_text(base, base, side, budget()) == side
    assert merge_text(base, side, base, budget()) == side
    assert merge_text(base, side, side, budget()) == side


WORDS = st.lists(st.sampled_from(["a", "b", "a b", "c", " ", "\n", "\n", "\r\n"]), max_size=10)
SOME = WORDS.map("".join)


@given(SOME | TEXTS, SOME | TEXTS, SOME | TEXTS)
def test_it_does_not_matter_which_side_is_which(base: str, current: str, other: str) -> None:
    merged = merge_text(base, current, other, budget())
    assert merge_text(base, other, current, budget()) == merged


@given(SOME | TEXTS, SOME | TEXTS, SOME | TEXTS)
@example("a b\n", "a c\n", "a b\nd\n")
def test_no_word_is_next_to_one_that_nobody_put_it_next_to(
    base: str, current: str, other: str
) -> None:
    merged = merge_text(base, current, other, budget())
    if merged is None or "\r" in base + current + other:
        return  # all line ends may have changed
    assert neighbours(merged) <= neighbours(current) | neighbours(other)


def neighbours(text: str) -> set[tuple[str, str]]:
    cut = ["", *(word for line in lines(text) for word in words(line)), ""]
    return set(pairwise(cut))


@given(edits_apart(), st.sampled_from(["\n", "\r\n", " "]))
def test_edits_apart_combine(
    made: tuple[list[str], list[str], list[str], list[str]], end: str
) -> None:
    base, current, other, merged = ("".join(piece + end for piece in pieces) for pieces in made)
    assert merge_text(base, current, other, budget()) == merged


@given(SOME, SOME, SOME)
def test_no_word_is_there_more_often_than_put_there(base: str, current: str, other: str) -> None:
    merged = merge_text(base, current, other, budget())
    if merged is None:
        return
    was, mine, theirs, now = (Counter(text.split()) for text in (base, current, other, merged))
    for word, times in now.items():
        added = max(0, mine[word] - was[word]) + max(0, theirs[word] - was[word])
        moved = min(was[word], mine[word] + theirs[word])
        assert times <= was[word] + added + moved


# --- bounds


def test_one_mebibyte_without_a_space() -> None:
    long = "x" * 2**20
    assert merge_text(long, long + "y", "z" + long, budget()) is None
    assert merge_text(f"a {long} b", f"a {long} c", f"d {long} b", budget()) == f"d {long} c"


def test_long_texts_with_few_changes_merge() -> None:
    rolled = random.Random(6)
    written = [f"word{rolled.randrange(500)}" for _ in range(30_000)]
    for space in ("\n", " "):
        current, other = list(written), list(written)
        current[100], other[29_000] = "mine", "theirs"
        base, mine, theirs = map(space.join, (written, current, other))
        merged = merge_text(base, mine, theirs, Budget(600_000))
        current[29_000] = "theirs"
        assert merged == space.join(current)


def test_texts_that_changed_everywhere_are_too_much_work() -> None:
    rolled = random.Random(6)
    base = [f"word{rolled.randrange(50)}" for _ in range(5_000)]
    current, other = ("\n".join(rolled.sample(base, len(base))) for _ in range(2))
    with pytest.raises(TooMuchWork):
        merge_text("\n".join(base), current, other, Budget(100_000))


def test_to_pair_many_edited_lines_is_counted_as_work() -> None:
    base = "".join(f"line {number} of many\n" for number in range(300))
    current = "".join(f"line {number} of some\n" for number in range(300))
    other = "".join(f"line {number} of many more\n" for number in range(301))
    with pytest.raises(TooMuchWork):
        merge_text(base, current, other, Budget(500_000))
