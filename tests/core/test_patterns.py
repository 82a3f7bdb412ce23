"""Regular expressions: PCRE's words in Python's, as CouchDB 3.5.0 understands them."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from couchmend.core.patterns import UnsupportedPattern, compile_pattern


@pytest.mark.parametrize(
    ("pattern", "matching", "others"),
    [
        ("^ta", ["task", "ta"], ["at", "Task"]),
        ("b$", ["ab", "ab\n"], ["ab\nc"]),
        (r"ab\Z", ["ab", "ab\n"], ["ab\n\n"]),
        (r"ab\z", ["ab"], ["ab\n"]),
        ("^.$", ["a"], ["é", "ab", "\n"]),
        ("^..$", ["é", "ab"], ["a"]),
        ("é", ["café"], ["cafe"]),
        ("(?i)éA", ["éa", "éA"], ["ÉA"]),
        (r"^\w+$", ["ab_1"], ["é", "a b", ""]),
        ("[[:alpha:]]+[[:digit:]_]", ["a1", "b_"], ["1", "a-"]),
        ("[]a]", ["]", "a"], ["b"]),
        ("[^]a]", ["b"], ["]", "a"]),
        ("[[]", ["["], ["a"]),
        ("[a&&b]", ["a", "&", "b"], ["c"]),
        ("[--/]", ["-", ".", "/"], ["a"]),
        ("[+--]", ["+", ",", "-"], ["."]),
        (r"[\h\]]", ["\t", " ", "]"], ["\n", "h"]),
        ("a{,3}", ["a{,3}"], ["a", "aaa"]),
        ("^a{2,3}$", ["aa", "aaa"], ["a", "aaaa"]),
        (r"^\Qa.b*\E$", ["a.b*"], ["axb"]),
        (r"\Q(", ["("], ["a"]),
        (r"^\y$", ["y"], ["\\y"]),
        (r"^\_\-$", ["_-"], ["a"]),
        (r"\x41\x{42}", ["AB"], ["ab"]),
        (r"(?<n>a)\k<n>", ["aa"], ["ab"]),
        (r"(?'n'a)\k'n'", ["aa"], ["ab"]),
        (r"(a)\1", ["aa"], ["ab"]),
        ("(?#comment)a", ["a"], ["b"]),
        ("a++b", ["aab"], ["a"]),
        ("(?>a+)b", ["aab"], ["a"]),
        ("(?=a)..(?!c)", ["ab"], ["ba"]),
        ("(?<!x)y", ["y", "ay"], ["xy"]),
        ("^(?:a|b)+$", ["abba"], ["abc"]),
        ("(?i:A)b", ["ab", "Ab"], ["aB"]),
        (r"^(\d+\.)+\d+$", ["1.2.3"], ["1", "1."]),
        ("", ["", "anything"], []),
    ],
)
def test_what_a_pattern_finds(pattern: str, matching: list[str], others: list[str]) -> None:
    search = compile_pattern(pattern)
    assert [text for text in matching + others if search(text)] == matching


@pytest.mark.parametrize(
    "pattern",
    ["(a", "a)", "[a", "*", "a**", "(?", "[z-a]", r"\1", r"[[:nope:]]", "x{2}{3}", "\\", "(?<n"],
)
def test_no_patterns(pattern: str) -> None:
    with pytest.raises(UnsupportedPattern):
        compile_pattern(pattern)


@pytest.mark.parametrize(
    "pattern",
    [r"\p{L}", r"\X", "a(?i)b", "(?|a|b)", "(?R)", "(*UTF8)a", r"\Ka", r"\u0041", r"\x{e9e9}"],
)
def test_what_only_pcre_has_is_refused_and_said(pattern: str) -> None:
    with pytest.raises(UnsupportedPattern, match=r"support|beginning|one byte"):
        compile_pattern(pattern)


@pytest.mark.parametrize(
    "pattern",
    [
        "(a+)+",
        "(a*)*",
        "^(a|b+)*$",
        r"(\w+\s?)*x",
        "((a+)b?)+",
        "(.*,)*x",
        "(?:(?:a+)+b)",
        "(a+){2,}",
    ],
)
def test_a_repeated_repetition_is_refused(pattern: str) -> None:
    with pytest.raises(UnsupportedPattern, match="repeats a repetition"):
        compile_pattern(pattern)


@pytest.mark.parametrize(
    "pattern",
    ["(?:a++)+", "((?>a+))*", r"(\d+,)*", "^([^,]*,)+$", "(a+b)?", "(ab?)+", "(ab)+c+", "(a{2})+"],
)
def test_harmless_repetitions_are_not(pattern: str) -> None:
    compile_pattern(pattern)


def test_the_repetitions_that_are_let_through_are_fast() -> None:
    started = time.perf_counter()
    for pattern in ("(?:a++)+b", r"^(\d+,)*x", "^([^,]*,)+$", r"^[\w.+-]+@[\w-]+(\.[\w-]+)+$"):
        compile_pattern(pattern)("1," * 2000 + "a" * 5000 + "!")
    assert time.perf_counter() - started < 1


@given(st.text("ab.*+?()[]{}|^$\\dwzZQE&~-,1", max_size=8), st.text("ab1.-\n", max_size=5))
def test_a_pattern_compiles_or_is_refused(pattern: str, text: str) -> None:
    try:
        search = compile_pattern(pattern)
    except UnsupportedPattern:
        return
    assert search(text) in (True, False)


@given(st.text(max_size=8), st.text(max_size=8))
def test_a_literal_pattern_finds_itself(before: str, text: str) -> None:
    assert compile_pattern(re.escape(text))(before + text)
