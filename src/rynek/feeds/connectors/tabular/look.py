"""What the columns of an unknown table seem to hold: kinds, units, places, times, ids."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from rynek.feeds.connectors.tabular.cells import plain
from rynek.feeds.connectors.tabular.decode import Row
from rynek.feeds.connectors.tabular.detect import BESIDE
from rynek.feeds.kit.checked import finite, when
from rynek.feeds.kit.times import EXCEL

TIME_NAME = re.compile(
    r"time|date|_ts\b|^ts$|^dt$|datum|stamp|hour|zeit|czas|^data\b|[čc]as\b|vr(ij)?eme|час|дата|"
    r"време|_at\b|_at_", re.IGNORECASE,
)  # fmt: skip
_LON_NAME = re.compile(
    r"^(lon|lng|long|longitude|x|.*[._ ]lon(gitude)?|.*\.x|.*(d[ée]lka|d[łl]ugo[śs][ćc]|du[žz]ina|"
    r"дължина|дужина|довгота)( .*)?)$", re.IGNORECASE,
)  # fmt: skip
_LAT_NAME = re.compile(
    r"^(lat|latitude|y|.*[._ ]lat(itude)?|.*\.y|.*([šs][íi][řr]ka|szeroko[śs][ćc]|[šs]irina|"
    r"ширина|широта)( .*)?)$", re.IGNORECASE,
)  # fmt: skip
_ID_NAME = re.compile(
    r"(^|[ ._:])(u?id|uid|code|kod|nr|numer|number|key|station(_?id)?|stanice|stacja|stanowiska|"
    r"станция|станція|станица)$|_id$|Id$|^(kod|numer|číslo) ?_?\w+$", re.IGNORECASE,
)  # fmt: skip
_THING_NAME = re.compile(
    r"(device|dev|station|sensor|stop|parking|bin|container|counter|segment|evse|spot|lamp|"
    r"datastream|thing)s?[._ ]?(@iot\.)?(id|eui|uid|nr|code)$", re.IGNORECASE,
)  # fmt: skip
_READING_NAME = re.compile(r"dedup|correlation|record_?id|message_?id|uuid", re.IGNORECASE)
"""Ids of readings and messages: each makes an entity that no other reading is of."""
_HOUR_NAME = re.compile(r"^(hour|hodina|godzina|godz|stunde|sat|час|година|сат)\b", re.IGNORECASE)
_CLOCK = re.compile(r"\d{1,2}:\d\d(:\d\d)?\Z")
_PAIR = re.compile(r"\(?-?\d{1,2}\.\d+[,; ]\s*-?\d{1,3}\.\d+\)?\Z")
_DATED = re.compile(r"\d{1,4}[./-] ?\d{1,2}[./-] ?\d{2,4}|\d{8}\Z")
_CODE = re.compile(r"0\d+\Z")
"""A number with zeros in front is a code, and would lose them."""
_BELOW = re.compile(r"[<>≤≥]\s*[\d.,]+\Z")
_COMMA = re.compile(r"[+\-−]?\d{1,3}(?:[. \u00a0\u202f]?\d{3})*,\d+\Z")
_GROUPED = re.compile(r"[+\-−]?[1-9]\d{0,2}(?:\.\d{3})+\Z")
_DOT = re.compile(r"[+\-−]?\d*\.\d+\Z")
NOTHING = frozenset({"-", "--", "–", "—", "?", "x", "n/a", "na", "nan", "none", "null", "nd", "n.d.",
                     "b.d.", "bd", "brak", "н/д", "нд", "немає", "няма", "нема", "není", "nema"})  # fmt: skip
_FEW = 0.02
_MAX_NAME = 500
"""Characters of a column's name; the patterns of names are not for whole texts."""
_DAYS = ("%d.%m.%Y", "%d/%m/%Y", "%d-%m-%Y", "%d.%m.%Y.", "%d. %m. %Y", "%Y/%m/%d", "%Y.%m.%d",
         "%d.%m.%y", "%d/%m/%y", "%Y%m%d", "%m/%d/%Y", "%Y-%m-%d")  # fmt: skip
_CLOCKS = ("", " %H:%M", " %H:%M:%S", "T%H:%M:%S", " %H")
_FORMATS = (*(day + clock for clock in _CLOCKS for day in _DAYS), "%m/%d/%Y %I:%M:%S %p")
_GEOMETRIES = frozenset({"Point", "MultiPoint", "LineString", "MultiLineString", "Polygon",
                         "MultiPolygon"})  # fmt: skip
_NAMING = ("value_type", "parameter", "code", "key", "name")
"""Members that tell the items of a list of readings apart."""
_UNITS = {
    "\u03bcg/m3": "GQ", "ug/m3": "GQ", "мкг/м3": "GQ", "mg/m3": "GP", "°c": "CEL", "c": "CEL", "%": "P1",
    "km/h": "KMH", "км/год": "KMH", "км/ч": "KMH", "m/s": "MTS", "м/с": "MTS", "v": "VLT", "w": "WTT",
    "kw": "KWT", "kwh": "KWH", "db": "2N", "hpa": "A97", "mm": "MMT", "m": "MTR", "s": "SEC",
    "min": "MIN", "hz": "HTZ", "ppm": "59", "ppb": "61", "lx": "LUX", "l": "LTR", "kg": "KGM",
    "t": "TNE",
}  # fmt: skip
_UNIT = re.compile(r"\s*(?:[\[(]([^\])]{1,12})[\])]|,\s*([^\s,]{1,8}/[^\s,]{1,8})|(%))\s*\Z")
_ALIKE = str.maketrans({"³": "3", "²": "2", "º": "°"})


class Column(NamedTuple):
    """One column: `kind` is number, text, time, flag, geometry, pair, list, nested or empty; `odd`
    are the values that are not of that kind, each with the number of its row."""

    name: str
    kind: str
    distinct: int
    filled: int
    example: str
    time_format: str = ""
    odd: tuple[tuple[int, str], ...] = ()
    either: bool = False
    """Whether day and month could as well be the other way round."""

    @property
    def oddly(self) -> str:
        """Which values of a column are not of its kind; empty where all are."""
        if not self.odd:
            return ""
        shown = ", ".join(f"row {number}: {text[:30]!r}" for number, text in self.odd[:3])
        more = ", …" if len(self.odd) > 3 else ""
        of = f"{len(self.odd):,} of {self.filled:,}"
        return f"{of} {'is' if len(self.odd) == 1 else 'are'} none: {shown}{more}"


class Shape(NamedTuple):
    """What a sample of a table shows. `clock` is the column with the time of day, where the one
    with the day is another."""

    columns: list[Column]
    time: Column | None
    clock: Column | None
    lon: str
    lat: str
    own: str
    geometry: bool
    decimal: str
    degrees: bool
    krovak: bool
    rows: int

    def said(self) -> str:
        """One line about the columns, for people."""
        roles = {self.own: "id", self.lon: "longitude", self.lat: "latitude"}
        for found in (self.time, self.clock):
            if found is not None:
                roles[found.name] = "time"
        names = [
            f"{c.name} ({roles.get(c.name) or c.kind}{'; ' + c.oddly if c.odd else ''})"
            for c in self.columns[:12]
        ]
        more = f" and {len(self.columns) - 12} more" if len(self.columns) > 12 else ""
        return ", ".join(names) + more


def shape_of(sample: list[Row]) -> Shape:
    """Columns with their kinds and likely roles, from some rows."""
    flat = [
        {name: value for name, value in flattened(row) if len(name) <= _MAX_NAME} for row in sample
    ]
    names = dict.fromkeys(name for row in flat for name in row)
    decimal = _decimal(flat)
    columns = [_column(name, flat, decimal) for name in names if not name.startswith("_")]
    numbers = [c for c in columns if c.kind == "number"]
    lon = next((c for c in numbers if _LON_NAME.match(c.name)), None)
    lat = next((c for c in numbers if _LAT_NAME.match(c.name)), None)
    timed = [c for c in columns if c.kind == "time"]
    time = next((c for c in timed if TIME_NAME.search(c.name)), timed[0] if timed else None)
    placed = lon is not None and lat is not None
    east = _sizes(lon.name, flat, decimal) if lon is not None else []
    north = _sizes(lat.name, flat, decimal) if lat is not None else []
    return Shape(
        columns=columns,
        time=time,
        clock=_clock(columns, time, flat),
        lon=lon.name if placed and lon is not None else "",
        lat=lat.name if placed and lat is not None else "",
        own=_own(columns, len(sample), {lon and lon.name, lat and lat.name}, time is not None),
        geometry=any(isinstance(row.get("_geometry"), dict) for row in sample[:20]),
        decimal=decimal,
        degrees=max([*east, *north], default=0.0) <= 180,
        krovak=bool(east) and len(east) == len(north) and all(map(_is_krovak, east, north)),
        rows=len(sample),
    )


def flattened(row: Row, before: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    """Every member of nested JSON by its path; readings in a list by what names them."""
    for name, value in row.items():
        path = f"{before}{name}"
        nested = depth < 3 and not str(name).startswith("_")
        if isinstance(value, dict) and nested and str(value.get("type")) not in _GEOMETRIES:
            yield from flattened(value, f"{path}.", depth + 1)
        elif name in BESIDE:
            continue
        elif isinstance(value, list) and nested and value and isinstance(value[0], dict):
            yield path, value
            yield from _listed(path, value, depth)
        else:
            yield path, value


def _listed(path: str, items: list[Any], depth: int) -> Iterator[tuple[str, Any]]:
    if len(items) == 1:
        yield from flattened(items[0], f"{path}.0.", depth + 1)
        return
    key = next((key for key in _NAMING if isinstance(items[0].get(key), str)), "")
    for item in items[:50] if key and "value" in items[0] else ():
        if isinstance(item, dict) and not re.search(r"[\[\]=]", str(item.get(key))):
            yield f"{path}[{key}={item.get(key)}].value", item.get("value")


def unit_of(name: str) -> tuple[str, str]:
    """A column's name without its unit, and the UN/CEFACT code of that; `PM10 [µg/m3]`."""
    match = _UNIT.search(name)
    if match is None or not name[: match.start()].strip():
        return name, ""
    told = next(group for group in match.groups() if group)
    code = _UNITS.get(told.strip().translate(_ALIKE).casefold(), "")
    return (name[: match.start()].strip() if code else name), code


def _decimal(flat: Sequence[Row]) -> str:
    """The decimal mark of the texts: a comma where numbers have one, or dots that group only."""
    texts = [
        value.strip()
        for row in flat
        for name, value in row.items()
        if isinstance(value, str) and not (_LON_NAME.match(name) or _LAT_NAME.match(name))
    ]
    commas = sum(_COMMA.match(text) is not None for text in texts)
    grouped = sum(_GROUPED.match(text) is not None for text in texts)
    dots = sum(_DOT.match(text) is not None for text in texts) - grouped
    return "," if commas > dots or (grouped and not dots and not commas and _mixed(flat)) else "."


def _mixed(flat: Sequence[Row]) -> bool:
    """Whether some column has both `1.234` and whole numbers, as counts with grouped thousands."""
    names = dict.fromkeys(name for row in flat for name in row)
    for name in names:
        if _LON_NAME.match(name) or _LAT_NAME.match(name):
            continue
        texts = [str(row.get(name, "")).strip() for row in flat]
        if any(map(_GROUPED.match, texts)) and any(text.isdigit() for text in texts):
            return True
    return False


def _sizes(name: str, flat: Sequence[Row], decimal: str) -> list[float]:
    found = [_read(row.get(name), name, decimal) for row in flat]
    return [abs(number) for number in found if number is not None]


def _is_krovak(one: float, other: float) -> bool:
    """Whether two coordinates look like S-JTSK, whose ranges no other system has."""
    return 400_000 < min(one, other) < 910_000 and 930_000 < max(one, other) < 1_240_000


def _read(value: Any, name: str, decimal: str) -> float | int | None:
    """A cell as a number; degrees may have another decimal mark than the rest of the table."""
    if not isinstance(value, str):
        return finite(value)
    if _LON_NAME.match(name) or _LAT_NAME.match(name):
        decimal = "," if value.count(",") == 1 else "."
    return finite(plain(value, decimal))


def _column(name: str, flat: Sequence[Row], decimal: str) -> Column:
    values = [
        (number, row[name])
        for number, row in enumerate(flat, start=1)
        if row.get(name) not in (None, "") and str(row[name]).strip()
    ]
    given = [value for _, value in values]
    texts = dict.fromkeys(str(v).strip() for v in given)
    example = str(given[0])[:60] if given else ""
    told = (len(texts), len(given), example)
    kind = _special(given)
    if kind:
        return Column(name, kind, *told)
    wrong = [
        (n, str(v).strip()) for n, v in values
        if _read(v, name, decimal) is None
    ]  # fmt: skip
    if any(isinstance(v, str) and _CODE.match(v.strip()) for v in given):
        return Column(name, "text", *told)
    none = all(v.casefold() in NOTHING or _BELOW.match(v) for _, v in wrong)
    numeric = (len(wrong) <= _FEW * len(given) or none) and len(wrong) < len(given)
    time_format = _time_format(name, list(texts)[:200], numeric)
    if time_format is not None:
        read = {text: when(text, "UTC", time_format or None) is not None for text in texts}
        wrong = [(n, text) for n, v in values if not read[text := str(v).strip()]]
        example = next((text for text in texts if read[text]), example)[:60]
        either = "%d/%m" in time_format and _reads(
            list(texts)[:200], time_format.replace("%d/%m", "%m/%d")
        ) >= sum(read.values())
        return Column(name, "time", *told[:2], example, time_format, tuple(wrong), either)
    if numeric:
        return Column(name, "number", *told, odd=tuple(wrong))
    return Column(name, "text", *told)


def _special(given: list[Any]) -> str:
    """The kind of a column that is neither number nor time nor text; empty for those."""
    if not given:
        return "empty"
    if all(isinstance(v, dict) and str(v.get("type")) in _GEOMETRIES for v in given):
        return "geometry"
    if all(isinstance(v, list) and v and isinstance(v[0], dict) for v in given):
        return "list"
    pairs = [isinstance(v, list) and len(v) == 2 and None not in map(finite, v) for v in given]
    if all(pairs) or all(isinstance(v, str) and _PAIR.match(v.strip()) for v in given):
        return "pair"
    if any(isinstance(v, dict | list) for v in given):
        return "nested"
    flags = all(isinstance(v, bool) or str(v).lower() in ("true", "false") for v in given)
    return "flag" if flags else ""


def _reads(texts: Sequence[str], pattern: str) -> int:
    return sum(when(text, "UTC", pattern or None) is not None for text in texts)


def _time_format(name: str, texts: list[str], numeric: bool) -> str | None:
    """Empty for epoch or ISO, a format as in `to_micros`, or None when the texts are no times."""
    if numeric and not TIME_NAME.search(name):
        return None
    candidates: list[str] = ["", "%Y%m%d", EXCEL] if numeric else [""]
    if not numeric and any(map(_DATED.match, texts[:20])):
        candidates += [pattern for pattern in _FORMATS if _reads(texts[:20], pattern)]
    read = {candidate: _reads(texts, candidate) for candidate in candidates}
    best = max(candidates, key=lambda candidate: read[candidate])
    # A few broken cells make no column of texts; a feed counts them as errors.
    return best if 2 * read[best] > len(texts) else None


def _clock(columns: list[Column], day: Column | None, flat: Sequence[Row]) -> Column | None:
    """The column with the time of day, where that of the time has days only."""
    if day is None or "%H" in day.time_format or ":" in day.example or len(day.example) > 12:
        return None
    for column in columns:
        texts = [str(row.get(column.name, "")).strip() for row in flat]
        clocks = [text for text in texts if text]
        if column is not day and clocks and all(map(_CLOCK.match, clocks)):
            return column
        hours = column.kind == "number" and all(
            t.isdecimal() and len(t) < 4 and int(t) <= 24 for t in clocks
        )
        if hours and _HOUR_NAME.match(column.name) and column.distinct > 1:
            return column
    return None


def _own(columns: list[Column], rows: int, places: set[Any], timed: bool) -> str:
    """The column that seems to tell things apart; empty where none does."""
    usable = [c for c in columns if c.kind in ("text", "number") and c.name not in places
              and not (c.odd or _CLOCK.match(c.example) or _HOUR_NAME.match(c.name)
                       or TIME_NAME.search(c.name) or _READING_NAME.search(c.name))]  # fmt: skip
    several = [c for c in usable if c.filled and (c.distinct > 1 or rows == 1 or timed)]
    exact = [c for c in several if (c.name.casefold() in ("id", "_id") and c.distinct > 1) or
             (c.name.casefold() == "id" and rows == 1)]  # fmt: skip
    things = [c for c in several if _THING_NAME.search(c.name) and (c.distinct > 1 or rows == 1)]
    named = [c for c in several if _ID_NAME.search(c.name) and (c.distinct > 1 or rows == 1)]
    unique = [c for c in several if c.distinct == c.filled == rows and c.kind == "text"]
    texts = [c for c in several if c.kind == "text" and c.filled == rows]
    return next((c.name for c in [*things, *exact, *named, *unique, *texts]), "")
