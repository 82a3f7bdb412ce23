"""Instants and lengths of time as people type them."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Final

from couchmend.errors import UsageError

SECOND: Final = 1_000_000
_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_LENGTH = re.compile(r"(\d{1,6})\s*([smhdw])")
_LONGEST_DAYS: Final = 36_500


def length(given: str) -> int:
    """How long, in microseconds: `90s`, `30m`, `2h`, `7d`, `2w`, or several: `1d12h`.

    Raises:
        UsageError: it is no length of time.
    """
    text = given.strip().lower()
    parts = _LENGTH.findall(text)
    if not parts or "".join(f"{count}{unit}" for count, unit in parts) != re.sub(r"\s", "", text):
        raise UsageError(f"{given!r} is no length of time", hint="write 30m, 2h, 7d or 2w")
    seconds = sum(int(count) * _UNITS[unit] for count, unit in parts)
    if seconds > _LONGEST_DAYS * 86400:
        raise UsageError(f"{given!r} is longer than a hundred years")
    return seconds * SECOND


def instant(given: str, now: int) -> int:
    """When, in microseconds since 1970: so long ago (`2h`), or a date or time like
    `2026-11-24` or `2026-11-24T14:30`, which without a zone is the time here.

    Raises:
        UsageError: it is no instant.
    """
    try:
        return now - length(given)
    except UsageError:
        return _dated(given, "write a time as 2026-11-24T14:30, or how long ago: 2h")


def coming(given: str, now: int) -> int:
    """An instant that is to come; a length counts from now on.

    Raises:
        UsageError: it is no instant, or past.
    """
    try:
        found = now + length(given)
    except UsageError:
        found = _dated(given, "write a time as 2026-11-24T14:30, or how long: 2d")
    if found <= now:
        raise UsageError(f"{given!r} is past", hint="name a time that is to come")
    return found


def _dated(given: str, hint: str) -> int:
    try:
        found = datetime.fromisoformat(given.strip())
        return int(found.astimezone().timestamp()) * SECOND
    except (ValueError, OverflowError, OSError) as problem:
        raise UsageError(f"{given!r} is no time", hint=hint) from problem


def iso(at: int | None) -> str | None:
    """An instant for programs, in ISO 8601 and UTC."""
    if at is None:
        return None
    from datetime import UTC

    told = datetime.fromtimestamp(0, UTC) + timedelta(microseconds=at)
    return told.isoformat(timespec="milliseconds").replace("+00:00", "Z")
