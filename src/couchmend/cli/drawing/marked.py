"""Pieces of a difference as text: in colour on a terminal, with signs where there is none.

Without colour, what is gone stands in `[-…-]` and what is new in `{+…+}`, as `git diff
--word-diff` has it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from rich.console import Console
from rich.text import Text

from couchmend.cli.drawing.pieces import Kind, Line, Piece
from couchmend.cli.drawing.safe import visible

NEW: Final = "green"
GONE: Final = "red strike"
FAINT: Final = "bright_black"
_SIGNS: Final[dict[Kind, tuple[str, str]]] = {"gone": ("[-", "-]"), "new": ("{+", "+}")}
_STYLES: Final[dict[Kind, str]] = {"gone": GONE, "new": NEW, "same": ""}


def needs_signs(console: Console) -> bool:
    """Whether differences are to be told without colour."""
    return console.no_color or console.color_system is None


def text_of(lines: Sequence[Line], *, signs: bool) -> Text:
    """Lines of pieces as one text."""
    told = Text()
    for place, line in enumerate(lines):
        if place:
            told.append("\n")
        for piece in line:
            _append(told, piece, signs=signs)
    return told


def _append(told: Text, piece: Piece, *, signs: bool) -> None:
    if piece.kind == "left out":
        told.append(f"⋯ {piece.text} ⋯", FAINT)
        return
    words = piece.text.rstrip("\r\n")
    end = piece.text[len(words) :]
    if piece.kind == "same":
        told.append(visible(words))
        return
    # Spaces and ends of lines that came or went by themselves would be seen by nobody.
    inner = words.strip(" ") or "·" * len(words) or ("↵" if end else "")
    start = len(words) - len(words.lstrip(" ")) if words.strip(" ") else 0
    before, after = _SIGNS[piece.kind] if signs else ("", "")
    if inner:
        told.append(" " * start)
        told.append(f"{before}{visible(inner)}{after}", _STYLES[piece.kind])
        told.append(" " * max(len(words) - start - len(inner), 0))


def lines_of(words: str, most_lines: int, most_characters: int, style: str = "") -> Text:
    """Text as it is, cut where it is long."""
    every = words.splitlines() or [""]
    kept = every if len(every) <= most_lines + 1 else every[:most_lines]
    told = Text()
    for place, line in enumerate(kept):
        shown = visible(line)
        if len(shown) > most_characters:
            left_out = len(shown) - most_characters
            told.append(shown[:most_characters], style)
            told.append(f" ⋯ {left_out} characters ⋯", FAINT)
        else:
            told.append(shown, style)
        if place < len(kept) - 1:
            told.append("\n")
    if len(every) > len(kept):
        told.append(f"\n⋯ {len(every) - len(kept)} lines ⋯", FAINT)
    return told


def joined(parts: Iterable[Text], between: str) -> Text:
    """Texts in a row."""
    return Text(between).join(parts)
