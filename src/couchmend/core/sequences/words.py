"""Texts cut into lines, and lines into words; put together again they are the text."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\n|\r)|[^\r\n]+")
_WORD = re.compile(r"\r\n|\n|\r|[^\S\r\n]+|\S+")
_END = re.compile(r"\r\n|\n|\r")

# UAX 29: what never stands at the start of a grapheme, beyond the categories of marks; and
# what never ends one.
_EXTENDING: Final = frozenset("\u200c\u200d\u0e33\u0eb3\uff9e\uff9f").union(
    map(chr, range(0x1F3FB, 0x1F400)), map(chr, range(0xE0020, 0xE0080))
)
_PREPENDED: Final = frozenset(
    map(chr, [*range(0x600, 0x606), 0x6DD, 0x70F, 0x890, 0x891, 0x8E2, 0xD4E, 0x110BD, 0x110CD])
)


def lines(text: str) -> list[str]:
    """The lines of a text, each with its end: `\\n`, `\\r\\n` or `\\r`."""
    return _LINE.findall(text)


def line_ends(text: str) -> set[str]:
    """The line ends that a text has."""
    return set(_END.findall(text))


def words(line: str) -> list[str]:
    """Words, the spaces between them and line ends; no grapheme is cut.

    A word is a run of what is not a space: Chinese or Thai, which do not space their words,
    have sentences in place of words.
    """
    found = _WORD.findall(line)
    return found if line.isascii() else _whole_graphemes(found)


def _whole_graphemes(found: list[str]) -> list[str]:
    """A space may carry a mark, and then belongs to what follows."""
    whole: list[str] = []
    for word in found:
        if whole:
            before = whole[-1]
            if _extends(word[0]) and unicodedata.category(before[-1]) == "Zs":
                whole[-1:] = [before[:-1]] if len(before) > 1 else []
                word = before[-1] + word
            elif before[-1] in _PREPENDED and unicodedata.category(word[0]) == "Zs":
                whole[-1] += word[0]
                word = word[1:]
        if word:
            whole.append(word)
    return whole


def _extends(character: str) -> bool:
    return unicodedata.category(character)[0] == "M" or character in _EXTENDING
