"""What changed within a text, as pieces: what is the same, what is gone, what is new.

Lines are compared first and words within the lines that changed, so that a long text costs no
more than its changes; of long texts only what is around a change is kept.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, Literal, NamedTuple, TypeAlias

from couchmend.core.sequences.budget import Budget, TooMuchWork
from couchmend.core.sequences.matching import matching
from couchmend.core.sequences.words import lines, words

Kind: TypeAlias = Literal["same", "gone", "new", "left out"]

CONTEXT_LINES: Final = 2
CONTEXT_CHARACTERS: Final = 48
LONGEST_LINE: Final = 400
_OPERATIONS: Final = 300_000
_LEAST_IN_COMMON: Final = 0.2
_JSON = re.compile(r'"(?:[^"\\]|\\.)*"|[\w.+-]+|\s+|[^\w\s]')

Cut: TypeAlias = Callable[[str], list[str]]
"""Cuts a text into what is compared."""


class Piece(NamedTuple):
    """A part of a text; of what is left out the text says how much that is."""

    kind: Kind
    text: str


Line: TypeAlias = list[Piece]


def json_tokens(text: str) -> list[str]:
    """JSON cut into strings, numbers, words, spaces and signs."""
    return _JSON.findall(text)


def differences(before: str, after: str, cut: Cut = words) -> list[Piece]:
    """What changed from one text to another, word by word.

    cut: how a line is cut into words.
    """
    budget = Budget(_OPERATIONS)
    pieces: list[Piece] = []
    for gone, new in _regions(lines(before), lines(after), budget):
        if gone == new:
            pieces.append(Piece("same", "".join(gone)))
        else:
            pieces += _within("".join(gone), "".join(new), cut, budget)
    return _joined(pieces)


def _regions(
    before: Sequence[str], after: Sequence[str], budget: Budget
) -> Iterator[tuple[Sequence[str], Sequence[str]]]:
    """Parts of two sequences in turn, equal or different."""
    try:
        blocks = matching(before, after, budget)
    except TooMuchWork:
        blocks = []
    at = there = 0
    for block in blocks:
        if at < block.base or there < block.side:
            yield before[at : block.base], after[there : block.side]
        at, there = block.base + block.length, block.side + block.length
        yield before[block.base : at], after[block.side : there]
    if at < len(before) or there < len(after):
        yield before[at:], after[there:]


def _within(before: str, after: str, cut: Cut, budget: Budget) -> list[Piece]:
    """The words that changed; the whole where hardly one of them stayed."""
    found = list(_regions(cut(before), cut(after), budget))
    common = sum(len("".join(gone).strip()) for gone, new in found if gone == new)
    if common < _LEAST_IN_COMMON * max(len(before.strip()), len(after.strip())):
        return _changed(before, after)
    pieces: list[Piece] = []
    gone_so_far = new_so_far = ""
    for place, (gone, new) in enumerate(found):
        text = "".join(gone)
        # A lone space between two words that changed belongs to them.
        alone = text.isspace() and "\n" not in text and 0 < place < len(found) - 1
        if gone == new and not alone:
            pieces += [*_changed(gone_so_far, new_so_far), Piece("same", text)]
            gone_so_far = new_so_far = ""
        else:
            gone_so_far += text
            new_so_far += "".join(new)
    return [*pieces, *_changed(gone_so_far, new_so_far)]


def _changed(gone: str, new: str) -> list[Piece]:
    pieces = [Piece("gone", gone), Piece("new", new)]
    return [piece for piece in pieces if piece.text]


def _joined(pieces: Iterable[Piece]) -> list[Piece]:
    joined: list[Piece] = []
    for piece in pieces:
        if joined and joined[-1].kind == piece.kind:
            joined[-1] = Piece(piece.kind, joined[-1].text + piece.text)
        else:
            joined.append(piece)
    return joined


def is_replaced(pieces: Sequence[Piece]) -> bool:
    """Whether nothing but space is left of what was there."""
    return not any(piece.kind == "same" and piece.text.strip() for piece in pieces)


# --- lines


def in_lines(pieces: Iterable[Piece], *, context: int = CONTEXT_LINES) -> list[Line]:
    """The pieces line by line, without the lines that are far from a change."""
    every: list[Line] = [[]]
    for piece in pieces:
        for place, part in enumerate(lines(piece.text)):
            if place or (every[-1] and every[-1][-1].text.endswith(("\n", "\r"))):
                every.append([])
            every[-1].append(Piece(piece.kind, part))
    changed = [place for place, line in enumerate(every) if _is_changed(line)]
    if not changed:
        return every
    kept = {
        place
        for change in changed
        for place in range(max(change - context, 0), min(change + context + 1, len(every)))
    }
    return list(_with_gaps(every, kept))


def _is_changed(line: Line) -> bool:
    return any(piece.kind != "same" for piece in line)


def _with_gaps(every: Sequence[Line], kept: set[int]) -> Iterator[Line]:
    skipped = 0
    for place, line in enumerate(every):
        if place not in kept:
            skipped += 1
            continue
        # Saying that one line is left out takes the place of that line.
        yield from _gap(every[place - skipped : place])
        skipped = 0
        yield _shortened(line) if sum(len(piece.text) for piece in line) > LONGEST_LINE else line
    yield from _gap(every[len(every) - skipped :])


def _gap(left_out: Sequence[Line]) -> Iterator[Line]:
    if len(left_out) == 1:
        yield left_out[0]
    elif left_out:
        yield [Piece("left out", f"{len(left_out)} lines")]


def _shortened(line: Line) -> Line:
    """A long line, with what is around its changes."""
    short: Line = []
    for place, piece in enumerate(line):
        first, last = place == 0, place == len(line) - 1
        if piece.kind != "same":
            short.append(Piece(piece.kind, _middle_out(piece.text)))
            continue
        head = "" if first else piece.text[:CONTEXT_CHARACTERS]
        tail = "" if last else piece.text[-CONTEXT_CHARACTERS:]
        if len(head) + len(tail) >= len(piece.text):
            short.append(piece)
            continue
        left_out = len(piece.text) - len(head) - len(tail)
        cut = Piece("left out", f"{left_out} characters")
        short += [Piece("same", head), cut, Piece("same", tail)]
    return [piece for piece in short if piece.text]


def _middle_out(text: str) -> str:
    if len(text) <= LONGEST_LINE:
        return text
    half = LONGEST_LINE // 2
    return f"{text[:half]} … {text[-half:]}"
