"""Words of a database, made harmless: a terminal obeys some of what documents may hold."""

from __future__ import annotations

import re
from typing import Final

from couchmend.cli.output import plain

LONGEST_NAME: Final = 60
_JOINERS: Final = "\u200c\u200d"
_SPACES: Final = "\u3000"
_JOINED = re.compile(rf"(?<=[^\x00-\x7f{_JOINERS}])[{_JOINERS}](?=[^\x00-\x7f{_JOINERS}])")


def visible(words: str) -> str:
    """Text in one line that a terminal only shows: what moves the cursor, turns the direction
    of writing, or cannot be seen stands there as `\\x1b`, `\\u202e`.

    Joiners within words of other scripts, which look wrong without them, and the space of
    Chinese and Japanese stay.
    """
    if words.isprintable():
        return words
    kept = {match.start() for match in _JOINED.finditer(words)}
    return "".join(
        character if place in kept or character in _SPACES else plain(character)
        for place, character in enumerate(words)
    )


def name(words: str, longest: int = LONGEST_NAME) -> str:
    """A name in one line: of one that is too long, the beginning and the end."""
    shown = visible(words)
    if len(shown) <= longest:
        return shown
    end = max(longest // 3, 1)
    return f"{shown[: longest - end - 1]}…{shown[-end:]}"
