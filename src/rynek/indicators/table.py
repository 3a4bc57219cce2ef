"""Tables from outside (CSV, .csv.gz, Parquet): columns of text, and numbers that name their cell."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np

from rynek.base.errors import BadRequestData
from rynek.base.parquet import read_parquet
from rynek.indicators.arrays import Array

__all__ = ["Form", "Frame", "first_of", "read_frame", "read_text"]

_MAX_BYTES: Final = 256 * 1024 * 1024
_MAX_ROWS: Final = 200_000
_MAX_COLUMNS: Final = 5_000
_TITLE_LINES: Final = 20
_SEPARATORS: Final = (",", ";", "\t", "|")
_PLAIN: Final = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
_THOUSANDS: Final = re.compile(r"[+-]?\d{1,3}(?:,\d{3})+")
_APOSTROPHES: Final = str.maketrans("\u2019\u02bc", "''")
_SPACES: Final = str.maketrans("", "", " \u00a0\u202f\u2009'")


@dataclass(frozen=True)
class Form:
    """How a table is written; what is None is found out. `missing` are texts for no value."""

    separator: str | None = None
    encoding: str = "utf-8"
    decimal: Literal[".", ","] | None = None
    missing: tuple[str, ...] = ("", "NA")


@dataclass(frozen=True)
class Frame:
    """Columns of text (None where nothing is) of `rows` rows; `labels` name the rows in messages
    once it is known which column does."""

    name: str
    columns: dict[str, list[str | None]]
    rows: int
    form: Form

    def text(self, column: str) -> list[str | None]:
        """A column; BadRequestData where there is none."""
        try:
            return self.columns[column]
        except KeyError:
            # Ukrainian tables write one apostrophe for the other.
            for name, values in self.columns.items():
                if name.translate(_APOSTROPHES) == column.translate(_APOSTROPHES):
                    return values
            some = ", ".join(list(self.columns)[:20]) + (" …" if len(self.columns) > 20 else "")
            raise BadRequestData(f"{self.name} has no column {column!r}; it has {some}") from None

    def keys(self, column: str) -> list[str]:
        """A column that names rows: nothing missing, nothing twice. BadRequestData."""
        found: dict[str, int] = {}
        for row, value in enumerate(self.text(column)):
            if value is None:
                raise BadRequestData(
                    f"{self.cell(row, column)} is empty; each row has to name its unit"
                )
            if value in found:
                raise BadRequestData(
                    f"{self.name}: the unit {value!r} stands in rows {found[value] + 1} and"
                    f" {row + 1}; leave one of them"
                )
            found[value] = row
        return list(found)

    def numbers(self, column: str, labels: Sequence[str] = ()) -> Array:
        """A column as numbers, NaN where a cell is missing. BadRequestData names the first cell
        that holds something else."""
        texts = self.text(column)
        decimal = self.form.decimal or _decimal(texts, column, self.name)
        values = np.full(self.rows, np.nan)
        for row, text in enumerate(texts):
            if text is not None:
                number = _number(text, decimal)
                if number is None:
                    raise BadRequestData(
                        f"{self.cell(row, column, labels)} holds {text[:60]!r}, which is no finite"
                        " number; correct it or name that text among table.missing"
                    )
                values[row] = number
        return values

    def cell(self, row: int | np.integer[Any], column: str, labels: Sequence[str] = ()) -> str:
        """A cell in words: the file, its row (counted after the heading), its unit, its column."""
        at = int(row)
        unit = f" ({labels[at]})" if labels else ""
        return f"{self.name}, row {at + 1}{unit}, column {column!r}"


def first_of(words: Iterable[str], many: int = 3) -> str:
    """The first few of many names, and how many more there are."""
    every = list(words)
    rest = len(every) - many
    return ", ".join(every[:many]) + (f" and {rest} more" if rest > 0 else "")


def _number(text: str, decimal: str) -> float | None:
    text = text.translate(_SPACES)
    if decimal == ",":
        text = text.replace(".", "").replace(",", ".")
    else:
        if "," in text and not _THOUSANDS.fullmatch(text.partition(".")[0]):
            return None
        text = text.replace(",", "")
    if not _PLAIN.fullmatch(text):
        return None
    number = float(text)
    return number if math.isfinite(number) else None


def _decimal(texts: Sequence[str | None], column: str, name: str) -> str:
    """The decimal sign of a column. A comma is one where it cannot separate thousands; where it
    could be either, nobody guesses: BadRequestData."""
    doubtful: str | None = None
    for text in texts:
        if text is None or "," not in text:
            continue
        plain = text.translate(_SPACES)
        if "." in plain:
            return "." if plain.rfind(".") > plain.rfind(",") else ","
        if not _THOUSANDS.fullmatch(plain) or plain.lstrip("+-").startswith("0,"):
            return ","
        if plain.count(",") > 1:
            return "."
        doubtful = doubtful or text
    if doubtful is not None:
        raise BadRequestData(
            f"{name}, column {column!r}: {doubtful!r} may be a thousand or a fraction; set"
            ' table.decimal to "." or ","'
        )
    return "."


def read_frame(
    path: Path, form: Form, never: Sequence[str] = (), heading: Sequence[str] = ()
) -> Frame:
    """Read a table. Columns in `never` are dropped as they are read; `heading` are columns by which
    the heading is found below lines of a title. BadRequestData."""
    from pyarrow import ArrowException, ArrowInvalid, csv

    try:
        size = path.stat().st_size
    except OSError as error:
        raise BadRequestData(f"the table {path} cannot be read: {error.strerror}") from None
    if size > _MAX_BYTES:
        raise BadRequestData(f"the table {path.name} is over {_MAX_BYTES >> 20} MiB")
    uneven: list[str] = []
    try:
        if path.suffix == ".parquet":
            table = read_parquet(path, rows=_MAX_ROWS, columns=_MAX_COLUMNS, size=_MAX_BYTES)
        else:
            body = _below_title(_utf8(path, form.encoding), heading)
            parse = csv.ParseOptions(
                delimiter=form.separator or _separator(body),
                newlines_in_values=True,
                invalid_row_handler=partial(_note_uneven, uneven),
            )
            names = _names(body, parse, path.name)
            table = csv.read_csv(
                io.BytesIO(body),
                read_options=csv.ReadOptions(block_size=1 << 24, use_threads=False),
                parse_options=parse,
                convert_options=csv.ConvertOptions(
                    column_types=dict.fromkeys(names, "string"), strings_can_be_null=False
                ),
            )
    except (ArrowInvalid, ArrowException, OSError, EOFError, LookupError, ValueError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise BadRequestData(f"{path.name} is no table: {reason}") from None
    if uneven:
        raise BadRequestData(f"{path.name} is no table: {uneven[0]}")
    if not table.num_rows:
        raise BadRequestData(f"{path.name} has no rows")
    if table.num_rows > _MAX_ROWS or table.num_columns > _MAX_COLUMNS:
        raise BadRequestData(
            f"{path.name} has {table.num_rows} rows and {table.num_columns} columns; at most"
            f" {_MAX_ROWS} and {_MAX_COLUMNS} are read"
        )
    missing = set(form.missing)
    kept = [name for name in table.column_names if name not in never]
    columns = {name: _texts(table[name].to_pylist(), missing) for name in kept}
    return Frame(path.name, columns, table.num_rows, form)


def _below_title(body: bytes, heading: Sequence[str]) -> bytes:
    """The table from the line on that names all of `heading`; as it is where none of the first does."""
    start = 0
    for line in body.split(b"\n", _TITLE_LINES)[:_TITLE_LINES] if heading else ():
        if all(name.encode() in line for name in heading):
            return body[start:]
        start += len(line) + 1
    return body


def read_text(path: Path, encoding: str) -> str:
    """A text file, .gz or not, of a bounded size. BadRequestData."""
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise BadRequestData(f"{path.name} is over {_MAX_BYTES >> 20} MiB")
        return _utf8(path, encoding).decode()
    except (OSError, EOFError) as error:
        raise BadRequestData(f"{path.name} cannot be read: {error}") from None


def _texts(values: list[Any], missing: set[str]) -> list[str | None]:
    """Cells as text; a Parquet file's numbers as they print, its not-a-number as missing."""
    found: list[str | None] = []
    for value in values:
        if value is None or (isinstance(value, float) and math.isnan(value)):
            found.append(None)
            continue
        if isinstance(value, bool):
            value = int(value)
        text = str(value).strip()
        found.append(None if text in missing else text)
    return found


def _utf8(path: Path, encoding: str) -> bytes:
    body = path.read_bytes() if path.suffix != ".gz" else _unpacked(path)
    if body.startswith((b"\xff\xfe", b"\xfe\xff")):
        return body.decode("utf-16").encode()
    body = body.removeprefix(b"\xef\xbb\xbf")
    try:
        if encoding.lower().replace("-", "") == "utf8":
            body.decode("utf-8")
            return body
        return body.decode(encoding).encode()
    except UnicodeDecodeError as error:
        raise BadRequestData(
            f"{path.name} is not written in {encoding} (byte {error.start}); set table.encoding,"
            ' such as "cp1251" or "cp1250"'
        ) from None
    except LookupError:
        raise BadRequestData(f"table.encoding: there is no encoding {encoding!r}") from None


def _unpacked(path: Path) -> bytes:
    import gzip

    with gzip.open(path) as packed:
        body = packed.read(_MAX_BYTES + 1)
    if len(body) > _MAX_BYTES:
        raise BadRequestData(f"the table {path.name} is over {_MAX_BYTES >> 20} MiB")
    return body


def _separator(body: bytes) -> str:
    head = body[: body.find(b"\n") if b"\n" in body else len(body)].decode("utf-8", "replace")
    # Commas and other signs within quotes separate nothing.
    head = re.sub(r'"[^"]*"', "", head)
    return max(_SEPARATORS, key=head.count)


def _note_uneven(found: list[str], row: Any) -> str:
    """Keep what is wrong with the first line that has other columns than the heading."""
    if not found:
        found.append(
            f"line {row.number} has {row.actual_columns} cells and the heading"
            f" {row.expected_columns}: {row.text[:80]!r}"
        )
    return "skip"


def _names(body: bytes, parse: Any, name: str) -> list[str]:
    """The heading's names, each once. BadRequestData."""
    import csv

    head = io.StringIO(body[: 1 << 20].decode("utf-8", "replace"), newline="")
    names = next(csv.reader(head, delimiter=parse.delimiter), [])
    twice = [one for n, one in enumerate(names) if one in names[:n]]
    if twice:
        raise BadRequestData(f"{name} has two columns {twice[0]!r}; rename one of them")
    return names
