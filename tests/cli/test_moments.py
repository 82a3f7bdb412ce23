"""Instants and lengths of time as people type them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from couchmend.cli.moments import coming, instant, iso, length
from couchmend.errors import UsageError

S = 1_000_000
NOW = 1_796_000_000 * S


@pytest.mark.parametrize(
    ("typed", "seconds"),
    [("90s", 90), ("30m", 1800), ("2h", 7200), ("1d12h", 129_600), ("2 w", 1_209_600)],
)
def test_lengths(typed: str, seconds: int) -> None:
    assert length(typed) == seconds * S
    assert instant(typed, NOW) == NOW - seconds * S
    assert coming(typed, NOW) == NOW + seconds * S


@pytest.mark.parametrize("typed", ["", "2", "h", "2x", "2h!", "-2h", "9999999w", "999999w"])
def test_what_is_no_length(typed: str) -> None:
    with pytest.raises(UsageError):
        length(typed)


def test_dates() -> None:
    at = int(datetime(2026, 11, 24, 14, 30, tzinfo=UTC).timestamp()) * S
    assert instant("2026-11-24T14:30Z", NOW) == at
    assert instant("2026-11-24T14:30+00:00", NOW) == at
    with pytest.raises(UsageError, match="2026-13-01"):
        instant("2026-13-01", NOW)
    with pytest.raises(UsageError, match="past"):
        coming("2020-01-01", NOW)


def test_for_programs() -> None:
    assert iso(1_500) == "1970-01-01T00:00:00.001Z"
    assert iso(None) is None
