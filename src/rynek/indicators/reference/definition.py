"""What a source of reference data is: who publishes it, on which terms, and what of it is taken."""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal

import msgspec

from rynek.base.errors import BadRequestData
from rynek.base.fields import with_near_field
from rynek.base.toml import read_toml
from rynek.base.typed import convert
from rynek.indicators.index.specification import Text

__all__ = ["Column", "Definition", "Roles", "load_definition", "shipped"]

_HERE: Final = Path(__file__).parent / "sources"


class Column(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A column that is taken, `column` in the source, under `name`. Values outside `minimum` …
    `maximum` stop the import; an empty cell means `empty` where that is known (a flag's NA is 0),
    and `zero` says what a nought means where it is no measurement. `title` is its name for people,
    `direction` says whether more or less of it is better, where that can be said at all. `means`:
    indicators are divided by it; `period` says of which year it is."""

    name: str
    column: str
    title: Text = ""
    kind: Literal["text", "number", "flag"] = "number"
    unit: str = ""
    period: str = ""
    minimum: float | None = None
    maximum: float | None = None
    empty: float | None = None
    means: Literal["", "population", "area"] = ""
    zero: Text = ""
    note: Text = ""
    direction: Literal["", "more", "less"] = ""


class Roles(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which columns (by `name`) say what a row is called, of which kind and region it is, and how
    many people live there. Without a name the key is one."""

    name: str = ""
    kind: str = ""
    region: str = ""
    population: str = ""


class Total(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`parts` have to add up to `total` in each row, within `within` of it."""

    total: str
    parts: list[str]
    within: float = 1e-6


class Definition(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A tabular source. `layout` is "rows" (a row for each key) or "eurostat" (keys by years: the
    sheets of the data browser, or TSV of the API, of which `series` is taken, by dimension). Keys have to match `key_pattern`; those
    that stand twice stop the import or, with `twice = "leave out"`, are left out and named.
    `levels`: columns of a codifier, of which the deepest one that is filled is the key; lines above
    their heading are passed over. Columns in `never` are not read, whatever they hold, with the reason beside them."""

    id: str
    title: Text
    publisher: Text = ""
    licence: str = ""
    url: str = ""
    period: str = ""
    layout: Literal["rows", "eurostat"] = "rows"
    key: str = ""
    levels: tuple[str, ...] = ()
    key_pattern: str = ""
    twice: Literal["refuse", "leave out"] = "refuse"
    separator: str | None = None
    encoding: str = "utf-8"
    decimal: Literal[".", ","] | None = None
    missing: tuple[str, ...] = ("", "NA", "NaN", "nan", "null", "-", ":")
    columns: list[Column] = []
    roles: Roles = Roles()
    totals: list[Total] = []
    never: dict[str, Text] = {}
    notes: list[Text] = []
    unit: str = ""
    means: Literal["", "population", "area"] = ""
    series: dict[str, str] = {}
    minimum: float | None = None
    maximum: float | None = None


def shipped() -> list[str]:
    """The ids of the definitions that come with rynek."""
    return sorted(path.stem for path in _HERE.glob("*.toml"))


def load_definition(name: str) -> Definition:
    """A definition by its id among those that come with rynek, or from a TOML file. BadRequestData
    names the key that is wrong."""
    path = _HERE / f"{name}.toml" if name in shipped() else Path(name)
    if not path.exists():
        raise BadRequestData(f"{name!r} is neither a file nor one of {', '.join(shipped())}")
    document = read_toml(path, "definition")
    try:
        found = convert(document, Definition)
    except (msgspec.ValidationError, RecursionError) as error:
        told = with_near_field(str(error), Definition)
        raise BadRequestData(f"{path.name}: {told}") from None
    _check(found, path.name)
    return found


def _check(found: Definition, where: str) -> None:
    names = [one.name for one in found.columns]
    for one in found.columns:
        if names.count(one.name) > 1:
            raise BadRequestData(f"{where}: the column {one.name!r} is defined twice")
        if one.column in found.never:
            raise BadRequestData(
                f"{where}: the column {one.column!r} stands in never and cannot be taken"
            )
    if found.layout == "rows" and (not (found.key or found.levels) or not found.columns):
        raise BadRequestData(f"{where}: a table of rows needs key and columns")
    for role in msgspec.structs.astuple(found.roles):
        if role and role not in names:
            raise BadRequestData(f"{where}: roles: there is no column {role!r}")
    for total in found.totals:
        for name in (total.total, *total.parts):
            if name not in names:
                raise BadRequestData(f"{where}: totals: there is no column {name!r}")
