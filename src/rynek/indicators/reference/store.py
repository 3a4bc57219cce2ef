"""Reference tables as they are kept: every version, with where it came from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from rynek.base.clock import Clock
from rynek.base.database import Database
from rynek.indicators.database import open_indicators
from rynek.indicators.index.published import EXAMPLE
from rynek.indicators.reference.definition import Definition, load_definition
from rynek.indicators.reference.importing import Imported, read_source
from rynek.indicators.versions import Kept, Versions

__all__ = ["References", "seed_references"]


class References:
    """The reference tables of a data folder."""

    def __init__(self, database: Database, clock: Clock | None = None) -> None:
        self._kept = Versions(database, "reference", clock)

    def import_file(self, source: Definition, path: Path) -> tuple[Kept, bool]:
        """Import a file; whether that made a new version. BadRequestData, and then nothing is kept."""
        table = read_source(source, path)
        about = {
            "title": source.title,
            "publisher": source.publisher,
            "licence": source.licence,
            "url": source.url,
            "period": source.period or _period(table),
            "key": source.key or "key",
            "unit": source.unit,
            "means": source.means,
            "rows": len(table.keys),
            "columns": [msgspec.to_builtins(one) for one in source.columns],
            "roles": msgspec.to_builtins(source.roles),
            "not_taken": source.never,
            "notes": source.notes,
            "file": path.name,
            "told": table.told,
            "left_out": table.left_out,
        }
        body = {"keys": table.keys, "columns": table.columns}
        return self._kept.put(source.id, about, body)

    def newest(self) -> list[Kept]:
        """The newest version of each table."""
        return self._kept.newest()

    def numbers(self, name: str) -> list[tuple[int, int]]:
        """The versions of a table and when each was imported."""
        return self._kept.numbers(name)

    def find(self, name: str, version: int | None = None) -> tuple[Kept, Imported]:
        """A table, the newest version without a number. ResourceNotFound."""
        kept, body = self._kept.find(name, version)
        columns: dict[str, list[Any]] = body["columns"]
        return kept, Imported(body["keys"], columns, kept.about["told"], kept.about["left_out"])


def seed_references(folder: Path, also: Sequence[tuple[str, Path]] = ()) -> None:
    """Put the table that comes with rynek (of its index of hromadas, as `reference export` wrote
    it) into the reference tables of a data folder: nothing has to be fetched. `also`: further
    files, each with its definition (an id or a path)."""
    source = load_definition("ua-hromadas")
    columns = [msgspec.structs.replace(one, column=one.name) for one in source.columns]
    as_exported = msgspec.structs.replace(source, columns=columns)
    database = open_indicators(folder)
    try:
        references = References(database)
        references.import_file(as_exported, EXAMPLE / "hromadas.csv.gz")
        for definition, path in also:
            references.import_file(load_definition(definition), path)
    finally:
        database.close()


def _period(table: Imported) -> str:
    """The years of a table whose columns are years."""
    years = sorted(name for name in table.columns if name.isdigit())
    return f"{years[0]}-{years[-1]}" if years else ""
