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
    """

    name: str
    body: Value
    timestamp: int | None = None
    device: str | None = None

    @property
    def label(self) -> str:
        """How sentences call it: a revision by its first digits."""
        generation, dash, digest = self.name.partition("-")
        return f"{generation}-{digest[:6]}" if dash and generation.isdecimal() else self.name


def newest(versions: Iterable[Version]) -> Version:
    """The one with the newest timestamp; no timestamp is the oldest; of equal ones the first."""
    return max(versions, key=_age)


def _age(version: Version) -> float:
    return float("-inf") if version.timestamp is None else version.timestamp
