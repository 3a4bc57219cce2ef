"""What pages need to know of the rooms behind them: the engine, its tenants, their city."""

from __future__ import annotations

import logging
import tomllib
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any, Protocol

import msgspec

from rynek.base.clock import Clock
from rynek.base.typed import convert

_logger = logging.getLogger(__name__)

__all__ = [
    "City",
    "Context",
    "Engine",
    "Feeds",
    "Licence",
    "Recording",
    "Tenant",
    "Text",
    "parse_city",
    "read_city",
    "said",
]

Text = str | dict[str, str]
"""Words for people: one string for every language, or one by language code."""


def said(text: Text, language: str) -> str:
    """`text` in `language`; else in English; else in whichever language it has."""
    if isinstance(text, str):
        return text
    return text.get(language) or text.get("en") or next(iter(text.values()), "")


class Recording(msgspec.Struct, rename={"start": "from", "end": "to"}):
    """Which past is being replayed. `start` and `end` are ISO 8601 dates or date-times."""

    title: Text = ""
    start: str = ""
    end: str = ""
    note: Text = ""


class Licence(msgspec.Struct):
    """One source a city's data come from: what it is, who publishes it, on which terms."""

    what: Text
    publisher: Text = ""
    licence: Text = ""
    url: str = ""
    note: Text = ""


class City(msgspec.Struct):
    """A tenant's `city.toml`.

    `country` is an ISO 3166-1 alpha-2 code, `zone` an IANA zone, `centre` [lon, lat] and
    `bounds` [west, south, east, north] in degrees. `known_as` are the keys under which reference
    tables know the city (its name there, a code).
    """

    name: Text
    country: str = ""
    zone: str = "UTC"
    centre: tuple[float, float] | None = None
    bounds: tuple[float, float, float, float] | None = None
    zoom: float = 11.0
    known_as: list[str] = []
    recording: Recording | None = None
    licence: list[Licence] = []
    note: Text = ""


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return value.isoformat() if isinstance(value, date | datetime) else value


def parse_city(toml: str) -> City:
    """The text of a `city.toml` → City; ValueError (with the key) when it is none."""
    try:
        return convert(_plain(tomllib.loads(toml)), City, strict=False)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise ValueError(f"city.toml: {error}") from error


def read_city(folder: Path, name: str) -> City:
    """A tenant's city.toml; without one, or with one that is none (logged), just its name."""
    file = folder / "city.toml"
    if not file.exists():
        return City(name=name)
    try:
        return parse_city(file.read_text(encoding="utf-8"))
    except ValueError as error:
        _logger.warning("%s: %s", file, error)
        return City(name=name)


class Feeds(Protocol):
    """The feed runner of one tenant."""

    def health(self) -> Sequence[Any]:
        """One FeedHealth (rynek.feeds) per configured feed."""
        ...


class Context(Protocol):
    """The live picture of one tenant."""

    @property
    def changes(self) -> Any:
        """The ordered change log (rynek.context.ChangeLog)."""
        ...

    def get(self, entity_id: str) -> Any:
        """The entity, or None."""
        ...

    def scan(self, after: int = 0, limit: int = 1000) -> list[tuple[int, Any]]:
        """All entities in the order of their internal numbers, from above `after`."""
        ...


class Tenant(Protocol):
    """One city's rooms."""

    @property
    def name(self) -> str:
        """The name in URLs and in NGSILD-Tenant."""
        ...

    @property
    def city(self) -> City:
        """The city's name, place, zone, recording and licences."""
        ...

    @property
    def context(self) -> Any:
        """The live picture (see Context)."""
        ...

    @property
    def history(self) -> Any:
        """What was (rynek.history)."""
        ...

    @property
    def feeds(self) -> Feeds:
        """The feed runner."""
        ...

    @property
    def clock(self) -> Clock:
        """Now, in the tenant: the machine's time, or a recording's."""
        ...


class Engine(Protocol):
    """Every tenant that this process serves."""

    @property
    def settings(self) -> Any:
        """The service's settings (rynek.base)."""
        ...

    @property
    def tenants(self) -> Mapping[str, Any]:
        """Tenants by name."""
        ...

    @property
    def default_tenant(self) -> str:
        """The tenant that answers where a request names none."""
        ...

    @property
    def comparisons(self) -> Any:
        """The published indexes (rynek.indicators.Comparisons)."""
        ...

    @property
    def references(self) -> Any:
        """The reference tables (rynek.indicators.References)."""
        ...

    @property
    def publications(self) -> Any:
        """When indicators were published last (rynek.indicators.Publications)."""
        ...

    @property
    def publishing(self) -> tuple[str, str, int, int] | None:
        """The city whose indicators are being published, the period, how many of how many."""
        ...

    @property
    def public_url(self) -> str:
        """How others reach the service, without a slash at the end."""
        ...

    def tenant(self, name: str) -> Any:
        """The tenant, opened where it was not; NonexistentTenant when there is none."""
        ...
