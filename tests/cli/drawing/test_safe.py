"""Words of a database, made harmless."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from couchmend.cli.drawing.safe import name, visible


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("\x1b[31mred", "\\x1b[31mred"),
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("\u2066x\u2069", "\\u2066x\\u2069"),
        ("a\rb\nc\td", "a\\rb\\nc\\td"),
        ("\x9b31m", "\\x9b31m"),
        ("\u200bx", "\\u200bx"),
        ("\U000e0041x", "\\U000e0041x"),
        ("Grüße, 漢字 и emoji 🙂", "Grüße, 漢字 и emoji 🙂"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("漢\u3000字", "漢\u3000字"),
        ("a\u200db", "a\\u200db"),
    ],
)
def test_what_a_terminal_would_obey_is_only_shown(words: str, shown: str) -> None:
    assert visible(words) == shown


@given(st.text())
def test_nothing_that_controls_is_left(words: str) -> None:
    left = {unicodedata.category(character) for character in visible(words)} - {"Zs"}
    assert not left & {"Cc", "Cs", "Zl", "Zp"}
    assert not set(visible(words)) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def test_long_names_are_cut_in_the_middle() -> None:
    shown = name("a" * 500 + "end")
    assert len(shown) == 60
    assert shown.endswith("end")
    assert "…" in shown
    assert name("short") == "short"
