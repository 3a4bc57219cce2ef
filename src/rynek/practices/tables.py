"""Tables as cities have them: CSV in any of Europe's encodings and decimal signs, and Parquet."""

from __future__ import annotations

import codecs
import gzip
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from rynek.base.errors import BadRequestData
from rynek.base.parquet import read_parquet
from rynek.practices.arrays import Array

__all__ = ["MISSING", "numbers_of", "read_table"]

MAX_BYTES: Final = 256 * 1024 * 1024
# Of a Parquet file, which may hold far more than its size: so many as a CSV of that size has.
MAX_ROWS: Final = 20_000_000
MAX_COLUMNS: Final = 5_000
MISSING: Final = (
    "", "NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "NaT", "null", "NULL", "None", "none", "-", "–", "—",
    ":", ".", "..", "...", "…",
)  # fmt: skip
_DELIMITERS: Final = (",", ";", "\t", "|")
_ENCODINGS: Final = ("cp1250", "cp1251", "cp1252", "iso8859-2", "iso8859-5")
_NUMBER: Final = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
_THOUSANDS: Final = r"^[+-]?[1-9]\d{0,2}(,\d{3})+(\.\d+)?$"


def read_table(path: Path, encoding: str | None, words: Sequence[str]) -> Any:
    """A table of strings (CSV) or as its file has it (Parquet). `words` are names that the table
    is known to hold: of several encodings the one that has them is taken. BadRequestData."""
    from pyarrow import ArrowException, csv

    try:
        size = path.stat().st_size
    except OSError as error:
        raise BadRequestData(f"the panel {path.name} cannot be read: {error.strerror}") from None
    if size > MAX_BYTES:
        raise BadRequestData(f"the panel {path.name} is over {MAX_BYTES >> 20} MiB")
    try:
        if path.suffix == ".parquet":
            return read_parquet(path, rows=MAX_ROWS, columns=MAX_COLUMNS, size=MAX_BYTES)
        body = _decoded(_bytes(path), encoding, words, path.name)
        delimiter = _delimiter(body)
        names = _header(body, delimiter)
        return csv.read_csv(
            io.BytesIO(body),
            parse_options=csv.ParseOptions(delimiter=delimiter),
            # Which words say that nothing is there depends on the column: NA is also Namibia.
            convert_options=csv.ConvertOptions(column_types=dict.fromkeys(names, "string")),
        )
    except (ArrowException, OSError, EOFError, KeyError, ValueError) as error:
        if isinstance(error, BadRequestData):
            raise
        reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise BadRequestData(f"the panel {path.name} is no table: {reason}") from None


def _bytes(path: Path) -> bytes:
    if path.suffix != ".gz":
        return path.read_bytes()
    with gzip.open(path) as packed:
        body = packed.read(MAX_BYTES + 1)
    if len(body) > MAX_BYTES:
        raise BadRequestData(f"the panel {path.name} is over {MAX_BYTES >> 20} MiB")
    return body


def _decoded(body: bytes, encoding: str | None, words: Sequence[str], name: str) -> bytes:
    """The same in UTF-8, without a byte order mark."""
    if encoding is not None:
        try:
            return body.decode(encoding).removeprefix("\ufeff").encode()
        except (LookupError, UnicodeDecodeError) as error:
            raise BadRequestData(f"encoding: {name} is not in {encoding!r} ({error})") from None
    if body.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return body.decode("utf-16").encode()
    body = body.removeprefix(codecs.BOM_UTF8)
    try:
        body.decode()
    except UnicodeDecodeError:
        return _guessed(body, words)
    return body


def _guessed(body: bytes, words: Sequence[str]) -> bytes:
    found = []
    for one in _ENCODINGS:
        try:
            found.append(body.decode(one))
        except UnicodeDecodeError:
            continue
    fits = (text for text in found if all(word in text for word in words))
    text = next(fits, found[0] if found else body.decode("latin-1"))
    return text.encode()


def _first_line(body: bytes) -> str:
    end = body.find(b"\n")
    return body[: end if end >= 0 else len(body)].decode("utf-8", "replace").rstrip("\r")


def _delimiter(body: bytes) -> str:
    return max(_DELIMITERS, key=_first_line(body).count)


def _header(body: bytes, delimiter: str) -> list[str]:
    import csv

    line = _first_line(body)
    return next(csv.reader([line], delimiter=delimiter), [])


def numbers_of(
    column: Any, name: str, decimal: str | None, missing: Sequence[float | str]
) -> Array:
    """A column as numbers, NaN where nothing is; also with a decimal comma or spaces between
    thousands, as spreadsheets of half of Europe write. BadRequestData."""
    from pyarrow import ArrowException, compute, types

    written = column
    try:
        if types.is_dictionary(column.type):
            column = column.cast("string")
        if types.is_string(column.type) or types.is_large_string(column.type):
            column = compute.utf8_trim_whitespace(column)
            known = [*MISSING, *(one for one in missing if isinstance(one, str))]
            column = compute.if_else(compute.is_in(column, _strings(known)), None, column)
            column = _plain(column, name, decimal)
        numbers = np.array(
            column.cast("float64").fill_null(float("nan")).to_numpy(), dtype=np.float64
        )
    except ArrowException as error:
        reason = _odd(written, column) or str(error).splitlines()[0][:120]
        raise BadRequestData(
            f"column {name!r} holds something else than numbers: {reason}"
        ) from None
    if np.isinf(numbers).any():
        raise BadRequestData(f"column {name!r} holds an infinite number")
    for one in missing:
        if not isinstance(one, str):
            numbers[numbers == one] = np.nan
    return numbers


def _odd(written: Any, plain: Any) -> str:
    """The first cell that is no number, and what may be done; "" where none can be told."""
    from pyarrow import compute, types

    if not types.is_string(plain.type):
        return ""
    odd = compute.fill_null(compute.invert(compute.match_substring_regex(plain, _NUMBER)), False)
    at = compute.index(odd, True).as_py()
    if at < 0:
        return ""
    text = str(written[at].as_py())[:40]
    return f"row {at + 1} has {text!r}; write it as a number, or name it in missing"


def _strings(values: Sequence[str]) -> Any:
    import pyarrow as pa

    return pa.array(list(values), "string")


def _plain(column: Any, name: str, decimal: str | None) -> Any:
    from pyarrow import compute

    column = compute.replace_substring_regex(column, "[ \u00a0\u202f']", "")
    commas = compute.filter(column, compute.match_substring(column, ","))
    if not len(commas):
        return column
    if decimal is None:
        if compute.all(compute.match_substring_regex(commas, _THOUSANDS)).as_py():
            raise BadRequestData(
                f"column {name!r}: {commas[0].as_py()!r} may be thousands or a decimal comma; say"
                ' which: decimal = "." or decimal = ","'
            )
        decimal = "," if not _has_point(commas) else "."
    if decimal == ",":
        return compute.replace_substring(compute.replace_substring(column, ".", ""), ",", ".")
    return compute.replace_substring(column, ",", "")


def _has_point(commas: Any) -> bool:
    """Whether points stand after commas, as in 1,234.5."""
    from pyarrow import compute

    return bool(compute.any(compute.match_substring_regex(commas, r",\d+\.")).as_py())


def matching(column: Any, wanted: Any) -> Any:
    """Which rows hold one of the wanted values, as text, as numbers or as true and false."""
    from pyarrow import compute

    texts: list[str] = []
    for one in wanted if isinstance(wanted, list) else [wanted]:
        told = str(one)
        spellings = [told.lower(), told, told.upper()] if isinstance(one, bool) else [told]
        if type(one) in {int, float} and float(one).is_integer():
            spellings = [str(int(one)), f"{int(one)}.0"]
        texts += spellings
    return compute.fill_null(compute.is_in(column.cast("string"), _strings(texts)), False)
