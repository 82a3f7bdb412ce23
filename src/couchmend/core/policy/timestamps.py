"""When something was written, as documents say it.

Instants are whole microseconds since 1970 (UTC).
"""

from __future__ import annotations

import re
from fractions import Fraction

from couchmend.core.values import Value

SECOND = 1_000_000
_DAY_SECONDS = 86_400
_MONTH_DAYS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)

# Epoch numbers by their size: seconds reach the year 5138 before they are milliseconds.
_SECONDS_BELOW = 10**11
_MILLISECONDS_BELOW = 10**14

_ISO = re.compile(
    r"(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d)"
    r"(?:[Tt ](?P<hour>\d\d)(?::(?P<minute>\d\d)(?::(?P<second>\d\d)(?:[.,](?P<part>\d+))?)?)?"
    r"(?P<zone>[Zz]|(?P<sign>[+-])(?P<ahead>\d\d)(?::?(?P<minutes_ahead>\d\d))?)?)?",
    re.ASCII,
)
_BASIC = re.compile(
    r"(?P<year>\d{4})(?P<month>\d\d)(?P<day>\d\d)"
    r"[Tt](?P<hour>\d\d)(?:(?P<minute>\d\d)(?:(?P<second>\d\d)(?:[.,](?P<part>\d+))?)?)?"
    r"(?P<zone>[Zz]|(?P<sign>[+-])(?P<ahead>\d\d)(?P<minutes_ahead>\d\d)?)?",
    re.ASCII,
)


def instant(value: Value) -> int | None:
    """The instant that a value names: ISO 8601 (a date alone is its beginning, no zone means
    UTC), or an epoch number, below 1e11 in seconds, below 1e14 in milliseconds, else in
    microseconds.  None for anything else."""
    if type(value) is str:
        found = time_of(value)
        return None if found is None else found[0]
    if type(value) is int or type(value) is float:
        return _of_epoch(value)
    return None


def _of_epoch(number: float) -> int:
    size = abs(number)
    unit = SECOND if size < _SECONDS_BELOW else 1000 if size < _MILLISECONDS_BELOW else 1
    return number * unit if isinstance(number, int) else round(Fraction(number) * unit)


def time_of(text: str) -> tuple[int, str] | None:
    """The instant of an ISO 8601 date or time, with the digits of a second that are beyond
    microseconds: pairs compare as the instants do.  None for any other text."""
    found = _ISO.fullmatch(text) or _BASIC.fullmatch(text)
    if not found:
        return None
    day = _day(int(found["year"]), int(found["month"]), int(found["day"]))
    if day is None:
        return None
    hour, minute, second = (int(found[name] or 0) for name in ("hour", "minute", "second"))
    # The end of a day may be written as 24:00, a leap second as :60.
    if hour > 24 or minute > 59 or second > 60 or (hour == 24 and (minute or second)):
        return None
    ahead_hours, ahead_minutes = int(found["ahead"] or 0), int(found["minutes_ahead"] or 0)
    if ahead_hours > 23 or ahead_minutes > 59:
        return None
    ahead = (ahead_hours * 3600 + ahead_minutes * 60) * (-1 if found["sign"] == "-" else 1)
    seconds = day * _DAY_SECONDS + hour * 3600 + minute * 60 + second - ahead
    part = found["part"] or ""
    return seconds * SECOND + int(part[:6].ljust(6, "0")), part[6:].rstrip("0")


def _day(year: int, month: int, day: int) -> int | None:
    """Days since 1970 in the Gregorian calendar; None where there is no such day."""
    if not 1 <= month <= 12 or not year:
        return None
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    if not 1 <= day <= _MONTH_DAYS[month - 1] + (leap and month == 2):
        return None
    before = year - 1
    days = before * 365 + before // 4 - before // 100 + before // 400
    days += sum(_MONTH_DAYS[: month - 1]) + (leap and month > 2) + day
    return days - 719_163  # the first of January 1970, counted so


def is_suspect(timestamp: int, now: int, clock_skew_seconds: float) -> bool:
    """Whether an instant is so far ahead of `now` that the clock it is from must be wrong."""
    return timestamp - now > clock_skew_seconds * SECOND
