"""What `rynek survey measure` asks of a city's history."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rynek.base.clock import SystemClock
from rynek.base.ids import TENANT_NAME

if TYPE_CHECKING:
    from rynek.base.settings import Settings

__all__ = ["computing", "lacking"]


def lacking(table: str) -> None:
    """Say that a table was not imported."""
    click.echo(
        f"no reference table {table!r} was imported (rynek reference import): its questions are"
        " asked without a figure",
        err=True,
    )


def computing(settings: Settings, period: str | None, say: Callable[[str], None]) -> Any:
    """What gives the values of indicators for a city, none where there is no such city; `say` is
    told which one it is at."""
    from rynek.history import Record
    from rynek.indicators import (
        References,
        Sources,
        compute_indicators,
        last_month,
        open_indicators,
        parse_period,
    )
    from rynek.web import read_city

    folder = Path(settings.data.path)

    def computed(city: str, wanted: Any) -> Any:
        home = folder / "tenants" / city
        if not TENANT_NAME.fullmatch(city) or not (home / "history").is_dir():
            return
        say(city)
        now, told = SystemClock().now(), read_city(home, city)
        asked = last_month(now, told.zone) if period is None else parse_period(period, told.zone)
        sources = Sources(References(open_indicators(folder)), tuple(told.known_as))
        with Record(home / "history") as record:
            yield from compute_indicators(record, wanted, asked, now, sources)

    return computed
