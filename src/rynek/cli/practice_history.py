"""History for `rynek practice`: of a city in a data folder, also beside a running service."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from zoneinfo import ZoneInfo

from rynek.cli.options import history_home, settings_of
from rynek.practices import Panel, Question

__all__ = ["ask_owner", "asker", "zone_of"]


def asker(
    config: Path | None, data: Path | None, tenant: str | None
) -> Callable[[Question], Panel]:
    """Answers questions from the history of a city. What a service has not written to its table
    yet (some seconds) is not in it."""

    def ask(question: Question) -> Panel:
        from rynek.history import Record
        from rynek.practices import panel_of_record
        from rynek.web import read_city

        home = history_home(settings_of(config, data), question.tenant or tenant)
        with Record(home / "history") as record:
            return panel_of_record(record, question, ZoneInfo(read_city(home, home.name).zone))

    return ask


def ask_owner(config: Path | None, data: Path | None) -> Callable[[str, Question], Panel]:
    """The same of the city that owns a card."""

    def ask(owner: str, question: Question) -> Panel:
        return asker(config, data, owner)(question)

    return ask


def zone_of(config: Path | None, data: Path | None, owner: str) -> ZoneInfo:
    """The time zone of a city; UTC where nobody owns the card."""
    from rynek.web import read_city

    if not owner:
        return ZoneInfo("UTC")
    home = Path(settings_of(config, data).data.path) / "tenants" / owner
    return ZoneInfo(read_city(home, owner).zone)
