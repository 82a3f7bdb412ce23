"""How much work comparing sequences may take: counted, never timed, so that the outcome is the
same on every machine."""

from __future__ import annotations

from typing import Final

DEFAULT_OPERATIONS: Final = 2_000_000
"""Steps of comparing that one merge may take; about a second of Python."""


class TooMuchWork(Exception):
    """The budget is used up: what was being compared stays uncompared."""


class Budget:
    """A number of operations that may be spent.

    It may be shared: what one comparison spends is missing for the next.
    """

    __slots__ = ("left",)

    def __init__(self, operations: int = DEFAULT_OPERATIONS) -> None:
        self.left = operations

    def spend(self, operations: int) -> None:
        """Count operations that are about to be done.

        Raises:
            TooMuchWork: there are not so many left.  None is counted, so that something
                smaller may still be compared.
        """
        if operations > self.left:
            raise TooMuchWork
        self.left -= operations
