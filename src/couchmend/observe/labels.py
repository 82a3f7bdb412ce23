"""Which values a label may take, so that no server of metrics is flooded."""

from __future__ import annotations

from typing import Final

OTHER: Final = "other"
"""What all further ones are called together."""


class Bounded:
    """The first values keep their names, further ones are `other`, until one is let go.

    most: how many have names of their own.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._known: set[str] = set()

    def label(self, value: str) -> str:
        """What the value is called."""
        if value not in self._known:
            if len(self._known) >= self._most:
                return OTHER
            self._known.add(value)
        return value

    def let_go(self, value: str) -> bool:
        """Make room for another; whether the value had a name of its own."""
        if value not in self._known:
            return False
        self._known.remove(value)
        return True


def one_of(value: str, known: tuple[str, ...]) -> str:
    """The value where it is known."""
    return value if value in known else OTHER
