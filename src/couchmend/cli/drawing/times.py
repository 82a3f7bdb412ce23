"""Instants and lengths of time as people say them."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from typing import Final

SECOND: Final = 1_000_000
_UNITS: Final = (
    ("year", 365 * 86400),
    ("month", 30 * 86400),
    ("week", 7 * 86400),
    ("day", 86400),
    ("hour", 3600),
    ("minute", 60),
    ("second", 1),
)


def moment(at: int, zone: tzinfo | None = None, *, brief: bool = False) -> str:
    """An instant to the second; `brief` without the year and to the minute.

    at: in microseconds since 1970.
    zone: where it is told; by default here.
    """
    try:
        told = datetime.fromtimestamp(at // SECOND, UTC).astimezone(zone)
    except (ValueError, OverflowError, OSError):
        return f"{at // SECOND} s since 1970"
    return told.strftime("%m-%d %H:%M" if brief else "%Y-%m-%d %H:%M:%S")


def length(microseconds: int) -> str:
    """How long something took or takes: `340 ms`, `2 hours`."""
    if microseconds < 1000:
        return f"{microseconds} µs"
    if microseconds < 2 * SECOND:
        return f"{microseconds / 1000:.0f} ms"
    seconds = microseconds // SECOND
    name, one = next((name, one) for name, one in _UNITS if seconds >= one)
    count = seconds // one
    return f"{count} {name}{'' if count == 1 else 's'}"


def ago(at: int, now: int) -> str:
    """How long something is past: `2 hours ago`."""
    if now - at < SECOND:
        return "just now" if at - now < SECOND else f"in {length(at - now)}"
    return f"{length(now - at)} ago"


def short(microseconds: int) -> str:
    """How long something is, in little space: `4 s`, `12 min`, `3 d`."""
    seconds = max(microseconds, 0) // SECOND
    for unit, one in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= one:
            return f"{seconds // one} {unit}"
    return f"{seconds} s"
