"""What a mapping file says: how to read a table and what its columns become."""

from __future__ import annotations

import re
import tomllib
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any, Literal

import msgspec

from rynek.base.typed import convert
from rynek.feeds.kit.reference import reference

RESERVED = frozenset({"id", "@id", "type", "@type", "@context", "scope", "createdAt", "modifiedAt"})
MAX_MAPPING = 256 * 1024
_PLACEHOLDER = re.compile(r"\{([^{}]+)\}")
_NAME = re.compile(r"[a-z0-9_]{1,64}\Z")


class _Part(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """Base of the tables of a mapping: an unknown key is an error, not a silent nothing."""


class Table(_Part, frozen=True):
    """`[table]`: how to read the bytes; what is empty is detected.

    `path` leads to the list of records in JSON (`data.items`; `.` is the document itself, one
    record), `each` names a list within every record, each item of which makes a row of its own,
    `sheet` names an XLSX sheet, `part` is a pattern for the name of the file or archive member
    whose named groups become columns.
    """

    format: Literal["", "csv", "json", "jsonl", "geojson", "xlsx"] = ""
    encoding: str = ""
    separator: str = ""
    decimal: str = "."
    columns: list[str] = []
    skip: int = 0
    path: str = ""
    each: str = ""
    sheet: str = ""
    part: str = ""


class Time(_Part, frozen=True):
    """`[time]`: when a row was true, from a `column` or a `template` of several (`{day} {hour}`).
    `format` is strptime's, or `excel`; empty means epoch or ISO 8601."""

    column: str = ""
    template: str = ""
    format: str = ""
    zone: str = ""


class Location(_Part, frozen=True):
    """`[location]`: two columns, a WKT column, the geometry of a GeoJSON feature, a column with
    GeoJSON, or one with latitude and longitude in this order. `crs` is what they are in
    (`EPSG:5514`), where that is not WGS 84."""

    lon: str = ""
    lat: str = ""
    wkt: str = ""
    geometry: bool = False
    geojson: str = ""
    latlon: str = ""
    crs: str = ""
    required: bool = True


class Wide(_Part, frozen=True):
    """`[wide]`: every column that matches is one entity (or one attribute of it).

    The row becomes several, with the columns `_column` (its header), `_key` (the first group of
    the pattern, else the header) and `_value`. Empty cells make no row.
    """

    columns: str


class Filter(_Part, frozen=True):
    """`[[filter]]`: rows that do not fit are left out and counted as `filtered`."""

    column: str
    values: list[str] = []
    matches: str = ""
    invert: bool = False


class Attribute(_Part, frozen=True):
    """`[[attribute]]`: one attribute from a `column`, a `template` or a constant `value`.

    A number is multiplied by `scale`, then `offset` is added; outside `min` to `max` it is left
    out and counted. `values` translates texts; `missing` lists texts that mean nothing is known.
    `static` attributes carry no observedAt. `dataset` is a template for the datasetId; the result `default_dataset` has none.
    """

    name: str
    column: str = ""
    template: str = ""
    value: Any = None
    kind: Literal["number", "integer", "text", "flag", "time", "json", "list"] = "text"
    unit: str = ""
    scale: float = 1.0
    offset: float = 0.0
    min: float | None = None
    max: float | None = None
    values: dict[str, Any] = {}
    missing: list[str] = []
    static: bool = False
    dataset: str = ""
    default_dataset: str = ""
    zone: str = ""
    format: str = ""


class Mapping(_Part, frozen=True):
    """A whole mapping. `id` is a template over columns, `scope` the middle part of entity ids. With
    `single` all rows are of one thing, and `id` is just its name."""

    type: str
    id: str
    title: str = ""
    scope: str = ""
    single: bool = False
    table: Table = Table()
    time: Time | None = None
    location: Location | None = None
    wide: Wide | None = None
    filter: list[Filter] = []
    attribute: list[Attribute] = []

    def needs(self) -> set[str]:
        """The columns a table must have for this mapping to make sense of it."""
        found = set(placeholders(self.id)) | {f.column for f in self.filter}
        found |= {a.column for a in self.attribute if not (a.static and self.time)}
        if self.time is not None:
            found |= {self.time.column, *placeholders(self.time.template)}
        if (place := self.location) is not None and place.required:
            found |= {place.lon, place.lat, place.wkt, place.geojson, place.latlon}
        groups = set(re.compile(self.table.part).groupindex) if self.table.part else set()
        return {c for c in found - groups if c and not c.startswith("_")}


def placeholders(template: str) -> list[str]:
    """The column names in a template such as `{line}-{stop}`."""
    return _PLACEHOLDER.findall(template)


def parse(text: str, what: str = "mapping") -> Mapping:
    """A mapping from TOML; ValueError says what is wrong."""
    try:
        return checked(convert(tomllib.loads(text), Mapping), what)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise ValueError(f"{what}: {error}") from None


def checked(mapping: Mapping, what: str) -> Mapping:
    """The mapping itself when patterns and parts make sense; ValueError otherwise."""
    patterns = [mapping.table.part, *(f.matches for f in mapping.filter)]
    if mapping.wide is not None:
        patterns.append(mapping.wide.columns)
    for pattern in patterns:
        try:
            re.compile(pattern)
        except re.error as error:
            raise ValueError(f"{what}: pattern {pattern!r}: {error}") from None
    if bool(placeholders(mapping.id)) == mapping.single or not mapping.id:
        raise ValueError(
            f'{what}: id {mapping.id!r} names no column (such as "{{nr}}"); only where all rows '
            "are of one thing it names none, with: single = true"
        )
    for attribute in mapping.attribute:
        if attribute.name in RESERVED or not attribute.name:
            raise ValueError(
                f"{what}: attribute {attribute.name!r}: an entity's own member has that name; "
                "give it another"
            )
        given = [bool(attribute.column), bool(attribute.template), attribute.value is not None]
        if sum(given) != 1:
            raise ValueError(
                f"{what}: attribute {attribute.name!r} needs one of column, template, value"
            )
    if mapping.time is not None and bool(mapping.time.column) == bool(mapping.time.template):
        raise ValueError(f"{what}: time needs one of column, template")
    _check_place(mapping.location, what)
    return mapping


def _check_place(place: Location | None, what: str) -> None:
    if place is None:
        return
    given = [bool(place.lon and place.lat), bool(place.wkt), place.geometry]
    given += [bool(place.geojson), bool(place.latlon)]
    if sum(given) != 1 or bool(place.lon) != bool(place.lat):
        raise ValueError(
            f"{what}: location needs one of lon and lat, wkt, geometry, geojson, latlon"
        )
    if place.crs:
        try:
            reference(place.crs)
        except ValueError as error:
            raise ValueError(f"{what}: {error}") from None


def shipped() -> dict[str, Mapping]:
    """The mappings that come with rynek, by name."""
    return dict(_shipped())


@lru_cache(maxsize=1)
def _shipped() -> dict[str, Mapping]:
    folder = resources.files("rynek.feeds.connectors.tabular") / "mappings"
    files = sorted(folder.iterdir(), key=lambda file: file.name)
    return {
        file.name[:-5]: parse(file.read_text("utf-8"), file.name)
        for file in files
        if file.name.endswith(".toml")
    }


def load(options: dict[str, Any]) -> Mapping | None:
    """The mapping a feed's options name (`mapping`) or hold (`map`); None without one."""
    inline, name = options.get("map"), str(options.get("mapping") or "")
    if inline:
        try:
            return checked(convert(inline, Mapping), "map")
        except msgspec.ValidationError as error:
            raise ValueError(f"map: {error}") from None
    if not name:
        return None
    if name in _shipped():
        return _shipped()[name]
    path = Path(name)
    if _NAME.match(name) or not path.is_file():
        known = ", ".join(_shipped())
        raise ValueError(f"no mapping {name!r}: neither a file nor one of {known}")
    if path.stat().st_size > MAX_MAPPING:
        raise ValueError(f"{path.name}: more than {MAX_MAPPING} bytes")
    return parse(path.read_text("utf-8"), path.name)
