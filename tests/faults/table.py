"""Writes a table of history while the disk refuses this and that: run by test_table.py.

python -m tests.faults.table FOLDER CONTROL: after each fault the rows are written again, as the
follower does where the table does not say that it has them. Prints what became of each fault.
"""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path

from deltalake import DeltaTable

from rynek.history.commits import EVERY
from rynek.history.lake import FOLLOWER, Lake
from rynek.history.schema import Reading, to_table

T0 = 1_790_000_000_000_000
FAULTS = {
    "no room for the file": (errno.ENOSPC, "wc", "/day="),
    "no room for the commit": (errno.ENOSPC, "wc", "_delta_log"),
    "no room for its name": (errno.ENOSPC, "r", "_delta_log"),
    "the file is not synced": (errno.EIO, "s", "/day="),
    "the commit is not synced": (errno.EIO, "s", "_delta_log"),
    "read-only": (errno.EROFS, "wcotrmu", ""),
}


def rows(number: int) -> list[Reading]:
    return [
        Reading(number * 100 + i, f"urn:x:{i:03d}", "T", "a", None, "Property",
                T0 + number * 1_000_000, True, T0, number=float(number))
        for i in range(20)
    ]  # fmt: skip


class Table:
    """A table whose every append is written until it holds it."""

    def __init__(self, folder: Path, control: Path) -> None:
        self.folder = folder
        self.control = control
        self.lake = Lake(folder)
        self.lake.open()
        self.number = 0
        # Files that were merged stay for a day, for those who read them.
        self.merged: set[str] = set()

    def append(self) -> None:
        """Once more 20 rows, unless the table says that it has them."""
        if self.lake.snapshot.seq < self.number + 1:
            self.lake.append(to_table(rows(self.number)), {FOLLOWER: self.number + 1})
        self.lake.settle()
        self.number += 1

    def failing(self, what: tuple[int, str, str]) -> str:
        """An append that fails, and one that does not; what the first raised."""
        self.control.write_text(" ".join(map(str, what)))
        try:
            self.append()
        except Exception as error:
            told = type(error).__name__
        else:
            told = "nothing"
        finally:
            self.control.unlink()
        self.append()
        return told

    def merging(self, what: tuple[int, str, str]) -> str:
        """Merging a day's files fails, and then does not; what the first raised."""
        ((day, parts),) = self.lake.snapshot.days.items()
        self.control.write_text(" ".join(map(str, what)))
        try:
            self.lake.rewrite(day, parts)
        except Exception as error:
            told = type(error).__name__
        else:
            told = "nothing"
        finally:
            self.control.unlink()
        self.append()
        ((day, parts),) = self.lake.snapshot.days.items()
        self.lake.rewrite(day, parts)
        self.merged.update(part.path for part in parts)
        return told

    def check(self) -> None:
        """What any reader of the table finds: every row once, and no file besides."""
        fresh = DeltaTable(self.folder)
        seqs = fresh.to_pyarrow_table(columns=["seq"]).column("seq").to_pylist()
        assert sorted(seqs) == [r.seq for n in range(self.number) for r in rows(n)]
        assert fresh.version() == self.lake.snapshot.version
        known = {part.path for part in self.lake.snapshot.parts()} | self.merged
        there = {str(path.relative_to(self.folder)) for path in self.folder.glob("day=*/*")}
        assert there == known, there ^ known
        assert not list(self.folder.glob("_delta_log/*#*"))


def main(folder: Path, control: Path) -> None:
    table = Table(folder, control)
    table.append()
    for name, what in FAULTS.items():
        print(name, "→", table.failing(what), flush=True)
        table.check()
    print("no room for merged files →", table.merging((errno.ENOSPC, "wc", "/day=")), flush=True)
    table.check()
    print("no room for their commit →", table.merging((errno.ENOSPC, "wc", "_delta_log")))
    table.check()
    while table.lake.snapshot.version < EVERY:
        table.append()
    control.write_text(f"{errno.ENOSPC} wc checkpoint")
    try:
        table.lake.checkpoint()
    except Exception as error:
        print("no room for the checkpoint →", type(error).__name__)
    control.unlink()
    table.append()
    table.check()
    table.lake.checkpoint()
    table.append()
    assert list(folder.glob("_delta_log/*.checkpoint.parquet"))
    again = Table(folder, control)
    assert again.lake.snapshot.seq == table.number
    table.check()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
    print("the end → seen", flush=True)
    # Without the interpreter's own end: now and then a library's thread does not survive it, which
    # says nothing about the table.
    os._exit(0)
