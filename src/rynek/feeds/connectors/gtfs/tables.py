"""The text files of a GTFS zip as Arrow columns of strings."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from rynek.feeds.contract import Findings
from rynek.feeds.kit.content import text, zip_members

FILES = (
    "agency", "routes", "stops", "trips", "stop_times", "calendar", "calendar_dates", "shapes",
    "feed_info", "frequencies",
)  # fmt: skip
Ints = npt.NDArray[np.int64]


def open_zip(data: bytes, max_bytes: int) -> dict[str, bytes]:
    """The GTFS files by name without `.txt`; the shallowest where a name occurs twice.

    ValueError when the bytes are no zip, unpack to more than `max_bytes`, or hold no GTFS.
    """
    members = zip_members(data, max_bytes, lambda path: _name(path) in FILES)
    found: dict[str, bytes] = {}
    for path in sorted(members, key=lambda path: (path.count("/"), path)):
        found.setdefault(_name(path), members[path])
    if not ({"stops", "routes"} & set(found)):
        raise ValueError("not a GTFS schedule: the zip has neither stops.txt nor routes.txt")
    return found


def read_table(
    name: str, data: bytes, columns: Sequence[str], findings: Findings, max_rows: int
) -> pa.Table:
    """The named columns of one file, trimmed; empty fields and missing columns are null.

    Rows with too few or too many fields are counted and left out. ValueError beyond `max_rows`.
    """
    if data.count(b"\n") > max_rows + 1:
        raise ValueError(f"{name}.txt: more than {max_rows} rows")
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        decoded, encoding = text(data)
        findings.add("encoding", "warning", f"{name}.txt is {encoding}, not UTF-8")
        data = decoded.encode("utf-8")
    if not data.strip(b"\xef\xbb\xbf \t\r\n"):
        findings.add("file-empty", "warning", f"{name}.txt")
        return _empty(columns)
    return _select(_parse(name, data, findings), columns)


def seconds(column: pa.ChunkedArray) -> tuple[Ints, int]:
    """GTFS times (H:MM:SS, hours may exceed 24) → seconds, -1 for none; and how many were wrong."""
    encoded = column.combine_chunks().dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    values = [_seconds(value) for value in encoded.dictionary.to_pylist()]
    known = np.array([*values, -1], dtype=np.int64)
    indices = pc.fill_null(encoded.indices, len(values)).to_numpy(zero_copy_only=False)
    result = known[indices.astype(np.int64)]
    return np.where(result == -2, -1, result), int((result == -2).sum())


def integers(column: pa.ChunkedArray, missing: int) -> Ints:
    """Whole numbers; `missing` for none and for anything else."""
    encoded = column.combine_chunks().dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    values = [_integer(value, missing) for value in encoded.dictionary.to_pylist()]
    known = np.array([*values, missing], dtype=np.int64)
    indices = pc.fill_null(encoded.indices, len(values)).to_numpy(zero_copy_only=False)
    found: Ints = known[indices.astype(np.int64)]
    return found


def floats(column: pa.ChunkedArray) -> npt.NDArray[np.float64]:
    """Numbers; NaN for none and for anything else."""
    try:
        cast = pc.cast(column, pa.float64())
        return np.asarray(cast.to_numpy(zero_copy_only=False), dtype=np.float64)
    except pa.ArrowInvalid:
        return np.array([_float(value) for value in column.to_pylist()], dtype=np.float64)


def positions_in(column: pa.ChunkedArray, keys: pa.ChunkedArray) -> Ints:
    """For each value the row of `keys` that holds it; -1 where none does."""
    found = pc.index_in(column, value_set=keys.combine_chunks(), skip_nulls=True)
    return np.asarray(pc.fill_null(found, -1).to_numpy(zero_copy_only=False), dtype=np.int64)


def _name(path: str) -> str:
    return path.replace("\\", "/").rsplit("/", 1)[-1].lower().removesuffix(".txt")


def _parse(name: str, data: bytes, findings: Findings) -> pa.Table:
    def skip(row: csv.InvalidRow) -> str:
        findings.add("row-malformed", "warning", f"{name}.txt: {(row.text or '')[:80]}")
        return "skip"

    header = data.split(b"\n", 1)[0]
    comma = b"," in header
    separator = "," if comma else ";" if b";" in header else "\t" if b"\t" in header else ","
    if separator != ",":
        findings.add("separator", "warning", f"{name}.txt: {separator!r} instead of a comma")
    names = header.decode("utf-8-sig", errors="replace").strip("\r\n").split(separator)
    strings = {column.strip('" '): pa.string() for column in names} | {
        column: pa.string() for column in names
    }
    try:
        return csv.read_csv(
            io.BytesIO(data),
            read_options=csv.ReadOptions(use_threads=False, block_size=8 * 1024 * 1024),
            parse_options=csv.ParseOptions(
                delimiter=separator,
                newlines_in_values=b'"' in data and _quoted_newline(data),
                invalid_row_handler=skip,
            ),
            convert_options=csv.ConvertOptions(
                column_types=strings, strings_can_be_null=True, quoted_strings_can_be_null=True,
                null_values=[""],
            ),
        )  # fmt: skip
    except (pa.ArrowInvalid, pa.ArrowKeyError) as error:
        raise ValueError(f"{name}.txt: {error}") from error


def _quoted_newline(data: bytes) -> bool:
    """Whether some line has an odd number of quotes: then a field goes on in the next line."""
    return any(line.count(b'"') % 2 for line in data.split(b"\n"))


def _select(table: pa.Table, columns: Sequence[str]) -> pa.Table:
    given = [column.strip('\ufeff" ').lower() for column in table.column_names]
    chosen: dict[str, pa.ChunkedArray] = {}
    for column in columns:
        if column in given:
            values = table.column(given.index(column))
            if not pa.types.is_string(values.type):
                values = pc.cast(values, pa.string())
            trimmed = pc.utf8_trim_whitespace(values)
            chosen[column] = pc.if_else(pc.equal(trimmed, ""), None, trimmed)
        else:
            chosen[column] = pa.chunked_array([pa.nulls(table.num_rows, pa.string())])
    return pa.table(chosen)


def _empty(columns: Sequence[str]) -> pa.Table:
    return pa.table({column: pa.array([], pa.string()) for column in columns})


def _seconds(value: str | None) -> int:
    if value is None:
        return -1
    parts = value.split(":")
    if len(parts) != 3 or len(value) > 20 or not all(part.strip().isdecimal() for part in parts):
        return -2
    hours, minutes, rest = (int(part) for part in parts)
    return hours * 3600 + minutes * 60 + rest if hours < 240 and minutes < 60 and rest < 60 else -2


def _integer(value: str | None, missing: int) -> int:
    try:
        found = int(value) if value is not None else missing
    except ValueError:
        return missing
    return found if abs(found) < 2**31 else missing


def _float(value: str | None) -> float:
    try:
        return float(value) if value is not None else float("nan")
    except ValueError:
        return float("nan")
