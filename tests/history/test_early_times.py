"""Readings of years before 1000, whose dates are easily written without their zeros."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.history.support import ListLog, change, number
from tests.history.test_follow import BUS, numbers, with_history

from rynek.base.clock import parse_iso, to_iso
from rynek.history import History

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


@pytest.mark.parametrize("text", [EARLY, "0999-12-31T23:59:59Z", "9999-12-31T23:59:59.000001Z"])
def test_years_have_four_digits(text: str) -> None:
    assert to_iso(parse_iso(text)) == text
