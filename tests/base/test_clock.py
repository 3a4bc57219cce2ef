"""Times as text and as epoch microseconds."""

import re
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rynek.base.clock import parse_iso, to_iso

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICRO = timedelta(microseconds=1)
_FORM = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d([.,]\d{1,9})?(Z|[+-]\d\d:?\d\d)", re.ASCII)
_times = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC))


@given(_times)
def test_what_is_written_is_read_again(moment: datetime) -> None:
    micros = (moment - _EPOCH) // _MICRO
    assert (
        parse_iso(moment.strftime("%Y").zfill(4) + moment.strftime("-%m-%dT%H:%M:%S.%fZ")) == micros
    )
    if moment.year >= 1970:
        assert parse_iso(to_iso(micros)) == micros


@given(
    _times,
    st.integers(-23 * 60, 23 * 60),
    st.sampled_from(["seconds", "milliseconds", "microseconds"]),
)
def test_zones_and_precisions_agree_with_the_standard_library(
    moment: datetime, minutes: int, precision: str
) -> None:
    for zone in (UTC, timezone(timedelta(minutes=minutes))):
        try:
            text = moment.astimezone(zone).isoformat(timespec=precision)
        except OverflowError:
            continue
        expected = (datetime.fromisoformat(text) - _EPOCH) // _MICRO
        assert parse_iso(text) == parse_iso(text.replace(".", ",")) == expected
        if zone is UTC:
            assert parse_iso(text.replace("+00:00", "Z")) == expected


@given(st.text("0123456789-:.,TZW+ ", min_size=18, max_size=28))
def test_only_the_one_form_is_read(text: str) -> None:
    if _FORM.fullmatch(text) is None:
        with pytest.raises(ValueError, match="not an ISO 8601"):
            parse_iso(text)


@pytest.mark.parametrize(
    "text",
    [
        "2026-W48-4T10:11:12Z",
        "20261126T101112Z",
        "2026-11-26 10:11:12Z",
        "2026-11-26T10:11:12",
        "2026-11-26T10:11Z",
        "2026-13-26T10:11:12Z",
        "2026-11-26T24:00:00Z",
        "2026-11-26T10:11:12.+00:0Z",
        "2026-11-26T10:11:12.123-1Z",
        "2026-11-26T10:11:12.12345 Z",
        "2026-11-26T10:11:12Z123Z",
    ],
)
def test_neighbours_of_that_form_are_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_iso(text)


def test_a_leap_second_is_the_one_before() -> None:
    assert parse_iso("2016-12-31T23:59:60Z") == parse_iso("2016-12-31T23:59:59Z")
    assert parse_iso("2016-12-31T23:59:60.500000Z") == parse_iso("2016-12-31T23:59:59.500000Z")
