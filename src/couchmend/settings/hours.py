"""Quiet hours of a server."""

from __future__ import annotations

from collections.abc import Sequence


def is_quiet(hours: Sequence[str], time_zone: str, at: int) -> bool:
    """Whether an instant lies in one of the hours.

    hours: such as `22:00-06:00`; the second time is outside.
    time_zone: whose clock they go by.
    at: microseconds since 1970 (UTC).
    """
    if not hours:
        return False
    from datetime import UTC, datetime, timedelta
    from zoneinfo import ZoneInfo

    zone = UTC if time_zone == "UTC" else ZoneInfo(time_zone)
    instant = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at)
    clock = instant.astimezone(zone).strftime("%H:%M")
    for each in hours:
        start, _, end = each.partition("-")
        if start <= clock < end or (end < start and (clock >= start or clock < end)):
            return True
    return False
