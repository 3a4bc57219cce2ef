"""What an unknown table seems to hold, and a mapping to start from."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple

from rynek.feeds.connectors.tabular.decode import Row, fits, rows
from rynek.feeds.connectors.tabular.detect import format_of, is_tar
from rynek.feeds.connectors.tabular.mapping import shipped
from rynek.feeds.contract import FeedConfig, Findings, Situation
from rynek.feeds.kit.checked import finite, when

SAMPLE = 2_000
_TIME_NAME = re.compile(
    r"time|date|_ts\b|^ts$|^dt$|datum|stamp|hour|час|дата|_at\b|_at_", re.IGNORECASE
)
_LON_NAME = re.compile(r"^(lon|lng|long|longitude|x|.*[._]lon(gitude)?|.*\.x)$", re.IGNORECASE)
_LAT_NAME = re.compile(r"^(lat|latitude|y|.*[._]lat(itude)?|.*\.y)$", re.IGNORECASE)
_ID_NAME = re.compile(r"(^|[ ._])(u?id|uid|code|kod|nr|number|key)$|_id$|Id$", re.IGNORECASE)
_NOTHING = frozenset({"-", "–", "—", "?", "x", "n/a", "na", "nan", "none", "null", "nd", "b.d.", "brak",
                      "н/д", "немає", "няма", "нема", "není"})  # fmt: skip
_FEW = 0.02
_FORMATS = ("%d-%m-%Y", "%d.%m.%Y", "%d/%m/%Y", "%d.%m.%Y %H:%M", "%d.%m.%Y %H:%M:%S",
            "%m/%d/%Y %I:%M:%S %p", "%m/%d/%Y %H:%M")  # fmt: skip


class Column(NamedTuple):
    """One column: `kind` is number, text, time, flag, nested or empty; `odd` are the values that
    are not of that kind, each with the number of its row."""

    name: str
    kind: str
    distinct: int
    filled: int
    example: str
    time_format: str = ""
    odd: tuple[tuple[int, str], ...] = ()


class Shape(NamedTuple):
    """What a sample of a table shows."""

    columns: list[Column]
    time: Column | None
    lon: str
    lat: str
    own: str
    geometry: bool

    def said(self) -> str:
        """One line about the columns, for people."""
        roles = {self.own: "id", self.lon: "longitude", self.lat: "latitude"}
        if self.time is not None:
            roles[self.time.name] = "time"
        names = [f"{c.name} ({roles.get(c.name) or c.kind}{_oddly(c)})" for c in self.columns[:12]]
        more = f" and {len(self.columns) - 12} more" if len(self.columns) > 12 else ""
        return ", ".join(names) + more


def fitting(sample: Sequence[Row]) -> list[str]:
    """Names of shipped mappings whose columns and filters fit, the most demanding first."""
    there = set(sample[0]) | {name for name, _ in _flat(sample[0])}
    found = []
    for name, mapping in shipped().items():
        needs = mapping.needs()
        wide = mapping.wide is not None
        if wide and not any(re.fullmatch(mapping.wide.columns, c) for c in there):  # type: ignore[union-attr]
            continue
        passing = any(
            all(fits(str(row.get(f.column)), f) for f in mapping.filter) for row in sample
        )
        if needs and needs <= there and passing and (wide or len(needs) > 1):
            found.append((-len(needs), name))
    return [name for _, name in sorted(found)]


def shape_of(sample: list[Row]) -> Shape:
    """Columns with their kinds and likely roles, from some rows."""
    names: dict[str, None] = {}
    for row in sample:
        names.update(dict.fromkeys(flat for flat, _ in _flat(row)))
    columns = [_column(name, sample) for name in names if not name.startswith("_")]
    lon = next((c.name for c in columns if _LON_NAME.match(c.name) and c.kind == "number"), "")
    lat = next((c.name for c in columns if _LAT_NAME.match(c.name) and c.kind == "number"), "")
    timed = [c for c in columns if c.kind == "time"]
    time = next((c for c in timed if _TIME_NAME.search(c.name)), timed[0] if timed else None)
    named = [c for c in columns if _ID_NAME.search(c.name) and c.distinct > 1 and c.filled]
    unique = [c for c in columns if c.distinct == c.filled == len(sample) and c.kind == "text"]
    own = next((c.name for c in [*named, *unique]), "")
    geometry = any(isinstance(row.get("_geometry"), dict) for row in sample[:20])
    return Shape(columns, time, lon if lat else "", lat if lon else "", own, geometry)


def _flat(row: Row, before: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    for name, value in row.items():
        if isinstance(value, dict) and depth < 3 and not str(name).startswith("_"):
            yield from _flat(value, f"{before}{name}.", depth + 1)
        else:
            yield f"{before}{name}", value


def _column(name: str, sample: list[Row]) -> Column:
    values = [
        (number, value)
        for number, row in enumerate(sample, start=1)
        for flat, value in _flat(row)
        if flat == name and value not in (None, "") and str(value).strip()
    ]
    given = [value for _, value in values]
    texts = dict.fromkeys(str(v).strip() for v in given)
    example = str(given[0])[:60] if given else ""
    if not given:
        return Column(name, "empty", 0, 0, "")
    if any(isinstance(v, dict | list) for v in given):
        return Column(name, "nested", len(texts), len(given), example)
    if all(isinstance(v, bool) or str(v).lower() in ("true", "false") for v in given):
        return Column(name, "flag", len(texts), len(given), example)
    wrong = [(n, str(v).strip()) for n, v in values if finite(v) is None]
    numeric = len(wrong) <= _FEW * len(given) or all(v.casefold() in _NOTHING for _, v in wrong)
    numeric = numeric and len(wrong) < len(given)
    time_format = _time_format(name, list(texts)[:200], numeric)
    if time_format is not None:
        read = {text: when(text, "UTC", time_format or None) is not None for text in texts}
        wrong = [(n, text) for n, v in values if not read[text := str(v).strip()]]
        example = next((text for text in texts if read[text]), example)[:60]
        return Column(name, "time", len(texts), len(given), example, time_format, tuple(wrong))
    if numeric:
        return Column(name, "number", len(texts), len(given), example, odd=tuple(wrong))
    return Column(name, "text", len(texts), len(given), example)


def _oddly(column: Column) -> str:
    """Which values of a column are not of its kind; empty where all are."""
    if not column.odd:
        return ""
    shown = ", ".join(f"row {number}: {text[:30]!r}" for number, text in column.odd[:3])
    more = ", …" if len(column.odd) > 3 else ""
    of = f"{len(column.odd):,} of {column.filled:,}"
    return f"; {of} {'is' if len(column.odd) == 1 else 'are'} none: {shown}{more}"


def _time_format(name: str, texts: list[str], numeric: bool) -> str | None:
    """Empty for epoch or ISO, a strptime format, or None when the texts are no times."""
    if numeric and not _TIME_NAME.search(name):
        return None
    candidates: list[str] = [""] if numeric else ["", *_FORMATS]
    read = {
        candidate: sum(when(text, "UTC", candidate or None) is not None for text in texts)
        for candidate in candidates
    }
    best = max(candidates, key=lambda candidate: read[candidate])
    # A few broken cells make no column of texts; a feed counts them as errors.
    return best if 2 * read[best] > len(texts) else None


def propose_mapping(data: bytes) -> str:
    """A mapping in TOML to start from, for any table that can be read.

    ValueError when the bytes are no table. Columns whose role is a guess say so in a comment.
    """
    situation = Situation(FeedConfig(name="x", kind="tabular", source=""), 0, Findings(), {})
    sample = list(islice(rows(data, None, situation), SAMPLE))
    if not sample:
        raise ValueError("no rows to propose a mapping from")
    shape = shape_of(sample)
    inner = "" if is_tar(data) else format_of(data)
    lines = [
        "# A proposal from the first rows: check type, id and names before use.",
        'type = "Device"',
        f"id = {_text('{' + (shape.own or shape.columns[0].name) + '}')}",
        *(["", "[table]", f'format = "{inner}"'] if inner else []),
    ]
    if shape.time is not None:
        lines += ["", "[time]", *_told_odd(shape.time), f"column = {_text(shape.time.name)}"]
        lines += [f"format = {_text(shape.time.time_format)}"] if shape.time.time_format else []
        if _zoneless(shape.time):
            lines.append('# zone = "Europe/Prague"   # the times have no zone; the feed\'s is used')
    if shape.geometry:
        lines += ["", "[location]", "geometry = true"]
    elif shape.lon:
        lines += ["", "[location]", f"lon = {_text(shape.lon)}", f"lat = {_text(shape.lat)}"]
    used = {shape.lon, shape.lat, shape.own, shape.time.name if shape.time else ""}
    for column in shape.columns:
        if column.name not in used and column.kind not in ("empty", "nested"):
            lines += _attribute(column, timed=shape.time is not None)
    return "\n".join(lines) + "\n"


def _zoneless(column: Column) -> bool:
    return not re.search(r"(Z|[+-]\d\d:?\d\d)$", column.example) and not column.example.isdigit()


def _attribute(column: Column, *, timed: bool) -> list[str]:
    words = re.findall(r"[^\W_]+", column.name)
    name = "".join(w if i == 0 else w[:1].upper() + w[1:] for i, w in enumerate(words)) or "value"
    name = name[:1].lower() + name[1:]
    lines = ["", f"[[attribute]]  # such as {column.example!r}"[:100], f"name = {_text(name)}"]
    lines += [*_told_odd(column), f"column = {_text(column.name)}", f'kind = "{column.kind}"']
    return lines if timed else [*lines, "static = true"]


def _told_odd(column: Column) -> list[str]:
    """A comment on the values that a feed with this mapping would count as errors."""
    told = _oddly(column).removeprefix("; ")
    return (
        ["# of the values " + "".join(c if c.isprintable() else " " for c in told)] if told else []
    )


def _text(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(c if c >= " " and c != "\x7f" else " " for c in escaped) + '"'
