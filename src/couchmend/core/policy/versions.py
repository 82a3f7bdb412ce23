"""The versions of a document that meet in a merge, and when each was written."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from couchmend.core.values import Value


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a document.

    name: its revision, or the side that it is of.
    body: its fields.
    timestamp: when it says it was written, in microseconds since 1970 (UTC); None when it does
        not say, or not readably.
    device: which device it says wrote it.
    rank: its place among the versions of its document, the winner's being 0.
    """

    name: str
    body: Value
    timestamp: int | None = None
    device: str | None = None
    rank: int = 0

    @property
    def label(self) -> str:
        """How sentences call it: a revision by its first digits."""
        generation, dash, digest = self.name.partition("-")
        return f"{generation}-{digest[:6]}" if dash and generation.isdecimal() else self.name


def newest(versions: Iterable[Version]) -> Version:
    """The one with the newest timestamp; no timestamp is the oldest; of equal ones the better."""
    return max(versions, key=_precedence)


def _precedence(version: Version) -> tuple[bool, int, int]:
    timestamp = version.timestamp
    return timestamp is not None, timestamp or 0, -version.rank
