"""Readings of years before 1000, whose dates are easily written without their zeros."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.history.support import T0, ListLog, change, iri, number
from tests.history.test_follow import BUS, SLOW, numbers, with_history

from rynek.base.clock import parse_iso, to_iso
from rynek.history import AggregateQuery, History, Selection

EARLY = "0001-01-01T00:00:00.250000Z"


@pytest.mark.parametrize("written", ['"0001-01-01T', '"1-01-01T'])
def test_one_early_reading_keeps_no_history_shut(tmp_path: Path, written: str) -> None:
    """Also where an earlier release wrote the bounds of a file so that nobody reads them."""
    log = ListLog()
    log.write(change("create", BUS, {"speed": number(7, parse_iso(EARLY))}))

    async def write(history: History) -> None:
        await history.ready()
        assert await numbers(history) == [7]
        await history.flush()

    async def read(history: History) -> None:
        await history.ready()
        assert await numbers(history) == [7]

    with_history(tmp_path, write, log)
    seen = 0
    for file in (tmp_path / "history").rglob("_delta_log/*.json"):
        text = file.read_text()
        seen += text.count('\\"0001-01-01T')
        file.write_text(text.replace('\\"0001-01-01T', "\\" + written))
    assert seen == 2
    with_history(tmp_path, read, log)


def test_bounds_that_nobody_reads_leave_out_no_reading_of_their_year(tmp_path: Path) -> None:
    """Few readings of long ago stand in a file of their year."""
    june = parse_iso("0500-06-01T00:00:00Z")
    log = ListLog()
    for value, moment in ((7, june), (8, T0)):
        log.write(change("update", BUS, {"speed": number(value, moment)}))

    async def write(history: History) -> None:
        await history.ready()
        await history.flush()

    async def read(history: History) -> None:
        await history.ready()
        table = await history.series(BUS, [iri("speed")], start=june, end=june + 1)
        assert table.column("number").to_pylist() == [7]

    with_history(tmp_path, write, log)
    seen = 0
    for file in (tmp_path / "history").rglob("_delta_log/*.json"):
        text = file.read_text()
        seen += text.count('\\"0500-')
        file.write_text(text.replace('\\"0500-', '\\"500-'))
    assert seen == 2
    with_history(tmp_path, read, log)


@pytest.mark.parametrize(
    ("zone", "text"), [("America/New_York", EARLY), ("Europe/Warsaw", "9999-12-31T23:59:59Z")]
)
def test_periods_reach_to_the_ends_of_the_calendar(tmp_path: Path, zone: str, text: str) -> None:
    """Local time there is in a year that no calendar has."""
    moment = parse_iso(text)
    log = ListLog()
    for value, time in ((7, moment), (8, T0)):
        log.write(change("update", BUS, {"speed": number(value, time)}))

    async def test() -> None:
        history = History(tmp_path / "history", log, SLOW, zone)
        await history.start()
        for bucket in ("P1M", "P1D"):
            for origin in (None, moment):
                query = AggregateQuery(
                    select=Selection(entity_ids=(BUS,)), bucket=bucket, origin=origin
                )
                assert len(await history.aggregate(query)) == 2
        await history.stop()

    asyncio.run(test())


@pytest.mark.parametrize("text", [EARLY, "0999-12-31T23:59:59Z", "9999-12-31T23:59:59.000001Z"])
def test_years_have_four_digits(text: str) -> None:
    assert to_iso(parse_iso(text)) == text
