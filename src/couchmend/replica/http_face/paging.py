"""How large the pages of a long answer are: by what the rows weigh, not by their number."""

from __future__ import annotations

PAGE_BYTES = 512 * 1024
MAX_ROWS = 5000


class PageSize:
    """Rows to read next, so that a page has about `PAGE_BYTES`, whatever is in them."""

    __slots__ = ("rows",)

    def __init__(self, first: int = 200) -> None:
        self.rows = first

    def learn(self, rows: int, size: int) -> None:
        """A page of so many rows had `size` bytes; pages grow at most eightfold at a time."""
        if rows:
            fitting = rows * PAGE_BYTES // max(size, 1)
            self.rows = max(1, min(fitting, self.rows * 8, MAX_ROWS))
