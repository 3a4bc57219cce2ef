"""Times of sources: zones, the two odd hours, units of epochs."""

from __future__ import annotations

from datetime import date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rynek.base.clock import parse_iso, to_iso
from rynek.feeds.kit import epoch_to_micros, local_to_micros, service_midnight, to_micros


@pytest.mark.parametrize(
    ("value", "zone", "expected"),
    [
        ("2026-02-07T16:35:02.975317", "Europe/Kyiv", "2026-02-07T14:35:02.975317Z"),
        ("2026-02-07 16:35", "Europe/Kyiv", "2026-02-07T14:35:00Z"),
        ("2026-02-07", "Europe/Prague", "2026-02-06T23:00:00Z"),
        ("2026-02-07T16:35:02+05:30", "Europe/Kyiv", "2026-02-07T11:05:02Z"),
        ("1769612639", "Europe/Kyiv", "2026-01-28T15:03:59Z"),
        (1769612639000, "UTC", "2026-01-28T15:03:59Z"),
        (1769612639.5, "UTC", "2026-01-28T15:03:59.500000Z"),
        # Twice in autumn: the first occurrence, summer time.
        ("2025-10-26T02:30:00", "Europe/Prague", "2025-10-26T00:30:00Z"),
        # Skipped in spring: forward by the hour that is missing.
        ("2026-03-29T02:30:00", "Europe/Prague", "2026-03-29T01:30:00Z"),
    ],
)
def test_times(value: str | float, zone: str, expected: str) -> None:
    assert to_iso(to_micros(value, zone)) == expected


def test_pattern() -> None:
    micros = to_micros("7.2.2026 16:35", "Europe/Kyiv", "%d.%m.%Y %H:%M")
    assert to_iso(micros) == "2026-02-07T14:35:00Z"


@pytest.mark.parametrize("value", ["", "soon", "2026-13-01", True, -5, 1e30, "2026-02-07T25:00"])
def test_what_is_no_time(value: str | float) -> None:
    with pytest.raises(ValueError, match=r"."):
        to_micros(value)


def test_service_midnight_is_noon_minus_twelve_hours() -> None:
    assert to_iso(service_midnight(date(2026, 3, 29), "Europe/Prague")) == "2026-03-28T22:00:00Z"
    assert to_iso(service_midnight(date(2025, 10, 26), "Europe/Prague")) == "2025-10-25T23:00:00Z"


@given(st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1)))
def test_every_local_time_is_within_a_day_of_the_same_utc_time(local: datetime) -> None:
    utc = parse_iso(local.strftime("%Y-%m-%dT%H:%M:%SZ"))
    for zone in ("Europe/Kyiv", "Europe/Oslo", "Europe/Sofia"):
        assert 0 <= utc + local.microsecond - local_to_micros(local, zone) <= 4 * 3_600_000_000


@given(st.integers(86_400 * 2, 4_102_444_800))
def test_epochs_in_any_unit_mean_the_same(seconds: int) -> None:
    if seconds * 1000 >= 1e11:
        assert epoch_to_micros(seconds) == epoch_to_micros(seconds * 1000)
        assert epoch_to_micros(seconds * 1_000_000) == epoch_to_micros(seconds)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2022-11-06 10:24:00", "2022-11-06T10:24:00Z"),
        ("2022-11-06T00:24:00Z", "2022-11-06T00:24:00Z"),
        ("2022-11-06 24:00", "2022-11-07T00:00:00Z"),
        ("2022-11-06T24:00:00", "2022-11-07T00:00:00Z"),
        ("2022-12-31 24:00:00Z", "2023-01-01T00:00:00Z"),
    ],
)
def test_24_00_is_an_hour_and_no_minute(text: str, moment: str) -> None:
    assert to_micros(text) == parse_iso(moment)


def test_24_00_is_an_hour_and_no_minute_of_a_pattern() -> None:
    assert to_micros("06.11.2022 10:24:00", pattern="%d.%m.%Y %H:%M:%S") == parse_iso(
        "2022-11-06T10:24:00Z"
    )
    assert to_micros("06.11.2022 24:00", pattern="%d.%m.%Y %H:%M") == parse_iso(
        "2022-11-07T00:00:00Z"
    )
