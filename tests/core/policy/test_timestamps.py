"""When something was written, as documents say it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from couchmend.core.document import JSON
from couchmend.core.policy.timestamps import instant, is_suspect, time_of
from couchmend.core.values import ABSENT, Value

NOON = 1_709_208_000_000_000  # 2024-02-29T12:00:00Z


@pytest.mark.parametrize(
    "text",
    [
        "2024-02-29T12:00:00Z",
        "2024-02-29T12:00:00z",
        "2024-02-29t12:00:00Z",
        "2024-02-29T12:00:00",
        "2024-02-29 12:00:00",
        "2024-02-29T12:00Z",
        "2024-02-29T12Z",
        "2024-02-29T12:00:00.000Z",
        "2024-02-29T12:00:00,000000000Z",
        "2024-02-29T12:00:00+00:00",
        "2024-02-29T12:00:00-00:00",
        "2024-02-29T13:00:00+01:00",
        "2024-02-29T13:00:00+0100",
        "2024-02-29T13:00:00+01",
        "2024-02-29T06:30:00-05:30",
        "2024-03-01T02:00:00+14:00",
        "20240229T120000Z",
        "20240229T1200Z",
        "20240229T170000.0+0500",
    ],
)
def test_iso_8601_with_and_without_zone(text: str) -> None:
    assert instant(text) == NOON


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("2024-02-29", "2024-02-29T00:00:00Z"),
        ("2024-02-28T24:00:00", "2024-02-29T00:00:00Z"),
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00Z"),
        ("2024-02-29T12:00:00.1234567Z", "2024-02-29T12:00:00.123456Z"),
    ],
)
def test_other_ways_to_write_a_time(text: str, same: str) -> None:
    assert instant(text) == instant(same)
    assert instant(text) is not None


@pytest.mark.parametrize(
    ("number", "microseconds"),
    [
        (0, 0),
        (-1, -1_000_000),
        (1_709_208_000, NOON),
        (1_709_208_000.0, NOON),
        (1_709_208_000.25, NOON + 250_000),
        (1_709_208_000.123456, NOON + 123_456),
        (99_999_999_999, 99_999_999_999_000_000),  # below 1e11: seconds
        (100_000_000_000, 100_000_000_000_000),  # from there on: milliseconds
        (1_709_208_000_000, NOON),
        (1_709_208_000_000.5, NOON + 500),
        (99_999_999_999_999, 99_999_999_999_999_000),
        (100_000_000_000_000, 100_000_000_000_000),  # from there on: microseconds
        (NOON, NOON),
        (-1_709_208_000_000, -NOON),
        (10**30, 10**30),
        (1e300, int(1e300)),
    ],
)
def test_epoch_numbers_by_magnitude(number: JSON, microseconds: int) -> None:
    found = instant(number)
    assert found == microseconds
    assert type(found) is int


@pytest.mark.parametrize(
    "value",
    [
        ABSENT, None, True, False, [], {}, [2024], {"$date": 0}, "", "now", "yesterday",
        "2024", "2024-02", "2024-2-9", "24-02-29", "2023-02-29", "2024-13-01", "2024-00-10",
        "0000-01-01", "2024-02-29T", "2024-02-29T25:00", "2024-02-29T24:00:01", "2024-02-29T12:60",
        "2024-02-29T12:00:61", "2024-02-29T12:00:00.", "2024-02-29T12:00:00+24:00",
        "2024-02-29T12:00:00 UTC", "2024-02-29T12:00:00ZZ", " 2024-02-29", "2024-02-29\n",
        "Thu Feb 29 2024 12:00:00 GMT+0000", "29.02.2024", "1709208000", "20240229",
        "٢٠٢٤-٠٢-٢٩", "2024-W09-4", "2024-060",
    ],
)  # fmt: skip
def test_what_is_no_time(value: Value) -> None:
    assert instant(value) is None


def test_digits_beyond_microseconds_still_order_times() -> None:
    texts = [
        "2024-02-29T12:00:00.000000Z",
        "2024-02-29T12:00:00.0000000010Z",
        "2024-02-29T12:00:00.0000005Z",
        "2024-02-29T12:00:00.00000051Z",
        "2024-02-29T12:00:00.000001Z",
    ]
    times = [time for time in map(time_of, texts) if time is not None]
    assert times == sorted(set(times))
    assert len(times) == len(texts)


zones = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(st.datetimes(timezones=zones, min_value=datetime(2, 1, 1), max_value=datetime(9998, 1, 1)))  # noqa: DTZ001
def test_it_agrees_with_the_standard_library(time: datetime) -> None:
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    expected = (time - epoch) // timedelta(microseconds=1)
    assert instant(time.isoformat()) == expected
    assert instant(time.isoformat(" ")) == expected
    assert instant(time.astimezone(UTC).isoformat().replace("+00:00", "Z")) == expected


@given(st.text(alphabet="0123456789-:TZ.+, ", max_size=30))
def test_no_text_fails(text: str) -> None:
    found = instant(text)
    assert found is None or isinstance(found, int)


@pytest.mark.parametrize(
    ("ahead_seconds", "suspect"), [(-10_000, False), (0, False), (300, False), (300.000001, True)]
)
def test_a_time_is_suspect_that_is_further_ahead_than_clocks_may_be(
    ahead_seconds: float, suspect: bool
) -> None:
    assert is_suspect(NOON + round(ahead_seconds * 1e6), NOON, 300) is suspect
