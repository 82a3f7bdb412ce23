"""What changed within a text, as pieces."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from couchmend.cli.drawing.pieces import (
    LONGEST_LINE,
    Piece,
    differences,
    in_lines,
    is_replaced,
    json_tokens,
)
from couchmend.core.sequences.words import words

TEXTS = st.text(alphabet="ab c\n\r", max_size=60)


@settings(max_examples=200, deadline=None)
@given(before=TEXTS, after=TEXTS)
def test_the_pieces_are_both_texts(before: str, after: str) -> None:
    for cut in (words, json_tokens):
        pieces = differences(before, after, cut)
        assert "".join(p.text for p in pieces if p.kind in ("same", "gone")) == before
        assert "".join(p.text for p in pieces if p.kind in ("same", "new")) == after
        assert all(p.text for p in pieces)


@settings(max_examples=100, deadline=None)
@given(before=TEXTS, after=TEXTS)
def test_lines_leave_nothing_out_but_what_is_the_same(before: str, after: str) -> None:
    told = [piece for line in in_lines(differences(before, after)) for piece in line]
    new = "".join(piece.text for piece in told if piece.kind == "new")
    assert new == "".join(p.text for p in differences(before, after) if p.kind == "new")


def test_words_that_changed() -> None:
    assert differences("Call Anna today", "Call Bob today") == [
        Piece("same", "Call "),
        Piece("gone", "Anna"),
        Piece("new", "Bob"),
        Piece("same", " today"),
    ]


def test_what_has_hardly_a_word_in_common_is_replaced_as_a_whole() -> None:
    pieces = differences("a garden full of flowers", "the sea and a storm")
    assert [piece.kind for piece in pieces] == ["gone", "new"]
    assert is_replaced(pieces)
    assert not is_replaced(differences("Call Anna", "Call Bob"))


def test_of_a_long_text_only_what_is_near_a_change_is_kept() -> None:
    before = "".join(f"line {n}\n" for n in range(1000))
    after = before.replace("line 500\n", "line five hundred\n")
    lines = in_lines(differences(before, after))
    assert len(lines) == 7
    assert lines[0] == [Piece("left out", "498 lines")]
    assert lines[3] == [
        Piece("same", "line "),
        Piece("gone", "500"),
        Piece("new", "five hundred\n"),
    ] or any(piece.kind == "new" for piece in lines[3])
    assert lines[-1] == [Piece("left out", "497 lines")]


def test_one_line_is_not_left_out_for_a_line_that_says_so() -> None:
    lines = in_lines(differences("a\nb\nc\nd\n", "a\nb\nc\nx\n"))
    assert not any(piece.kind == "left out" for line in lines for piece in line)


def test_of_a_long_line_only_what_is_near_a_change_is_kept() -> None:
    before = " ".join(f"word{n}" for n in range(500))
    (line,) = in_lines(differences(before, before.replace("word250", "WORD")))
    assert [piece.kind for piece in line].count("left out") == 2
    assert sum(len(piece.text) for piece in line) < LONGEST_LINE


def test_a_huge_text_that_changed_everywhere_costs_little() -> None:
    import time

    before = " ".join(str(n * 7919 % 10007) for n in range(60_000))
    after = " ".join(str(n * 6101 % 10007) for n in range(60_000))
    start = time.monotonic()
    pieces = differences(before, after)
    assert time.monotonic() - start < 5
    assert "".join(p.text for p in pieces if p.kind in ("same", "new")) == after


def test_json_is_cut_into_values() -> None:
    assert json_tokens('["a b", 12.5, true]') == [
        "[", '"a b"', ",", " ", "12.5", ",", " ", "true", "]",
    ]  # fmt: skip
