"""What may stand side by side: cities of this installation, and rows of reference tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple
from urllib.parse import quote, urlencode

from rynek.base.errors import InvalidRequest, ResourceNotFound
from rynek.indicators import Value
from rynek.web.contract import Text, said
from rynek.web.indicators.tables import Reader, Sheet

__all__ = ["MOST", "City", "Hit", "Unit", "address", "chosen", "read_keys", "search"]

MOST: Final = 6
_CITY: Final = "city"
_LONGEST: Final = 160
_MOST_HITS: Final = 24
_PER_TABLE: Final = 12


class City(NamedTuple):
    """A city of this installation with its values by indicator; `late`: some are being computed."""

    key: str
    name: str
    url: str
    tenant: Any
    values: Mapping[str, Value]
    late: bool = False


class Unit(NamedTuple):
    """A row of a reference table."""

    key: str
    name: str
    url: str
    sheet: Sheet
    row: int


class Hit(NamedTuple):
    """Something that a search found: what choosing it is called, and of which table it is."""

    key: str
    name: str
    of: str


def read_keys(given: Sequence[str]) -> list[str]:
    """The keys of a request, each once. InvalidRequest for more than six."""
    keys = list(dict.fromkeys(one[:_LONGEST] for one in given if one.strip()))
    if len(keys) > MOST:
        raise InvalidRequest(f"c: {len(keys)} are too many to stand side by side; {MOST} at most")
    return keys


def address(keys: Sequence[str], **more: str) -> str:
    """The query that asks for these, and some more parameters."""
    query = [("c", key) for key in keys] + [pair for pair in more.items() if pair[1]]
    return urlencode(query)


def chosen(
    keys: Sequence[str], tenants: Mapping[str, Any], reader: Reader, root: str, language: str
) -> tuple[list[City], list[Unit], list[str]]:
    """The cities (without values yet) and rows that keys name, and the keys that name nothing."""
    cities: list[City] = []
    units: list[Unit] = []
    unknown: list[str] = []
    for key in keys:
        kind, _, name = key.partition(":")
        if kind == _CITY and name in tenants:
            tenant = tenants[name]
            url = f"{root}/c/{quote(name, safe='')}/indicators"
            cities.append(City(key, said(tenant.city.name, language), url, tenant, {}))
            continue
        try:
            sheet = reader.find(kind)
        except ResourceNotFound:
            unknown.append(key)
            continue
        if name in sheet.place:
            row = sheet.place[name]
            url = f"{root}/cities/{quote(kind, safe='')}/{quote(name, safe='')}"
            units.append(Unit(key, sheet.names[row], url, sheet, row))
        else:
            unknown.append(key)
    return cities, units, unknown


def search(text: str, tenants: Mapping[str, Any], reader: Reader, language: str) -> list[Hit]:
    """Cities and rows whose name holds every word of a text."""
    words = text.casefold().split()[:8]
    if not words:
        return []
    hits = [
        Hit(f"{_CITY}:{name}", said(tenant.city.name, language), "")
        for name, tenant in tenants.items()
        if all(word in _every(name, tenant.city.name) for word in words)
    ]
    for kept in reader.newest():
        sheet = reader.find(kept.id, kept.version)
        title = said(sheet.title, language)
        for row in sheet.found(text)[:_PER_TABLE]:
            region = sheet.role(row, "region")
            of = f"{title}, {region}" if region else title
            hits.append(Hit(f"{kept.id}:{sheet.table.keys[row]}", sheet.names[row], of))
    return hits[:_MOST_HITS]


def _every(name: str, text: Text) -> str:
    """A city's names in every language."""
    names = [text] if isinstance(text, str) else list(text.values())
    return " ".join([name, *names]).casefold()
