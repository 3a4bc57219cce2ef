"""What a copy of the table must hold, read beside the process that writes it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Final

import msgspec

from .files import to_parts
from .lake import FOLLOWER

_COMMIT: Final = re.compile(r"(\d{20})\.(?:json|checkpoint.*\.parquet)\Z")
_LAST: Final = "_last_checkpoint"


class TableFiles(msgspec.Struct):
    """One version of a table: the change up to which it holds the log, and its files relative to
    the history folder (the Delta log first)."""

    version: int
    seq: int
    paths: list[Path]


def table_files(folder: Path) -> TableFiles | None:
    """The newest version of the table of readings in the history folder; None without one.

    FileNotFoundError when files went away while it looked: look again.
    """
    from deltalake import DeltaTable

    root = folder / "readings"
    if not DeltaTable.is_deltatable(str(root)):
        return None
    table = DeltaTable(root)
    version = table.version()
    log = [
        path.relative_to(folder)
        for path in sorted((root / "_delta_log").iterdir())
        if _belongs(path, version)
    ]
    parts = to_parts(table.get_add_actions(flatten=True))
    seq = int(table.transaction_version(FOLLOWER) or 0)
    return TableFiles(version, seq, [*log, *(Path("readings") / part.path for part in parts)])


def _belongs(path: Path, version: int) -> bool:
    match = _COMMIT.match(path.name)
    if match is not None:
        return int(match.group(1)) <= version
    if path.name != _LAST:
        return False
    return int(json.loads(path.read_bytes())["version"]) <= version
