"""Aggregation methods over values of every data type (CIM 009 §4.5.19, Tables 4.5.19.1-1 to -3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from rynek.base.errors import BadRequestData

if TYPE_CHECKING:
    import ibis.expr.types as ir

METHODS: Final = (
    "totalCount", "distinctCount", "sum", "avg", "min", "max", "stddev", "sumsq",
)  # fmt: skip
_SEPARATOR: Final = "\x01"
_REFERENCES: Final = "kind IN ('Relationship', 'ListRelationship')"
_PLAIN: Final = "kind IN ('Property', 'ListProperty', 'JsonProperty')"
_TYPE: Final = "json_extract_string(json, '$.\"@type\"')"
_VALUE: Final = "json_extract_string(json, '$.\"@value\"')"
_NGSI_LD: Final = "https://uri.etsi.org/ngsi-ld/"
_URI_TYPED: Final = (
    f'meta LIKE \'%"value_type":"{_NGSI_LD}default-context/URI"%\''
    ' OR meta LIKE \'%"value_type":"http://www.w3.org/2001/XMLSchema#anyURI"%\''
)
_TIME_TYPED: Final = f'meta LIKE \'%"value_type":"{_NGSI_LD}Time"%\''

DERIVED: Final[dict[str, tuple[str, str]]] = {
    # true counts as 1, false as 0
    "num": (
        "float64",
        (
            "coalesce(number, CASE WHEN json IS NULL THEN NULL WHEN json = 'true' THEN 1.0"
            " WHEN json = 'false' THEN 0.0 END)"
        ),
    ),
    "size": (
        "float64",
        (
            f"CASE WHEN json IS NOT NULL AND starts_with(json, '[') AND {_PLAIN}"
            " THEN CAST(json_array_length(json) AS DOUBLE) END"
        ),
    ),
    "words": (
        "string",
        (
            f"CASE WHEN text IS NOT NULL AND kind = 'Property' AND NOT coalesce({_URI_TYPED}, false)"
            " THEN text END"
        ),
    ),
    # Date, DateTime and Time with @type and @value: what they are sorted by, and the value itself.
    "typed": (
        "string",
        (
            "CASE WHEN json IS NOT NULL AND starts_with(json, '{\"@') AND kind = 'Property'"
            f" AND regexp_matches({_TYPE}, '(^|[/#:])(Date|DateTime|Time|date|dateTime|time)$')"
            f" THEN rtrim({_VALUE}, 'Z') || '{_SEPARATOR}' || json END"
        ),
    ),
    # Seconds since midnight of what is known to be a Time.
    "clock": (
        "float64",
        (
            "CASE WHEN json IS NOT NULL AND starts_with(json, '{\"@') AND kind = 'Property'"
            f" AND regexp_matches({_TYPE}, '(^|[/#:])[Tt]ime$')"
            f" THEN epoch(TRY_CAST(rtrim({_VALUE}, 'Z') AS TIME))"
            f" WHEN text IS NOT NULL AND {_TIME_TYPED}"
            " THEN epoch(TRY_CAST(rtrim(text, 'Z') AS TIME)) END"
        ),
    ),
    "targets": (
        "array<string>",
        (
            f"CASE WHEN NOT {_REFERENCES} THEN NULL WHEN json IS NULL THEN [text]"
            " ELSE from_json(json, '[\"VARCHAR\"]') END"
        ),
    ),
}
"""Columns that a scan can compute: name → Ibis type and SQL."""


def measures(table: ir.Table, methods: tuple[str, ...], *, every: bool) -> dict[str, Any]:
    """The columns of the methods: for numbers only, or (`every`) for values of every data type.

    Then some methods have columns besides: `avg~clock`, `min~words`, `min~typed` …; see `value_of`.
    """
    found: dict[str, Any] = {}
    for method in methods:
        if method not in METHODS:
            raise BadRequestData(f"Unknown aggregation method: {method[:64]!r}")
        found[method] = _of_every(table, method) if every else _of_numbers(table.number, method)
        if not every:
            continue
        if method == "distinctCount":
            kept = table.targets.notnull()
            targets = table.targets.collect(where=kept).flatten().unique()
            found["distinctCount~targets"] = targets.length()
        elif method == "avg":
            found["avg~clock"] = table.clock.mean()
        elif method in {"min", "max"}:
            for name in ("words", "typed"):
                column = table[name]
                found[f"{method}~{name}"] = column.min() if method == "min" else column.max()
    if not every and "distinctCount" in found:
        found["distinctCount"] = _identity(table).nunique()
    if "totalCount" in found:
        found["totalCount"] = table.count()
    return found


def _of_every(table: ir.Table, method: str) -> Any:
    if method == "distinctCount":
        return _identity(table).nunique()
    if method in {"stddev", "sumsq", "totalCount"}:
        return _of_numbers(table.num, method)
    return _of_numbers(table.num.coalesce(table.size), method)


def _of_numbers(number: Any, method: str) -> Any:
    match method:
        case "sum":
            return number.sum()
        case "avg":
            return number.mean()
        case "min":
            return number.min()
        case "max":
            return number.max()
        case "stddev":
            return number.std(how="pop")
        case "sumsq":
            return (number * number).sum()
    return number.count()


def _identity(table: ir.Table) -> Any:
    """Something equal for equal values, whatever column they are in."""
    place = table.lon.cast("string") + "," + table.lat.cast("string")
    words = table.text + '"'
    return table.number.cast("string").coalesce(words, table.json, place)


def value_of(row: dict[str, Any], method: str) -> Any:
    """What a method says about a group, as JSON; None when it says nothing about such values."""
    value = row.get(f"{method}~targets")
    if value is None:
        value = row[method]
    if value is None:
        value = row.get(f"{method}~words")
    if value is None and row.get(f"{method}~typed") is not None:
        value = msgspec.json.decode(row[f"{method}~typed"].partition(_SEPARATOR)[2])
    if value is None and row.get(f"{method}~clock") is not None:
        value = {"@type": "Time", "@value": _clock(row[f"{method}~clock"])}
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    return value


def _clock(seconds: float) -> str:
    whole, micros = divmod(round(seconds * 1_000_000), 1_000_000)
    base = f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}"
    return f"{base}.{micros:06d}Z" if micros else f"{base}Z"
