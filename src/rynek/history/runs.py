"""Runs of unchanged values on disk, so that a restart does not forget how often one was seen."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from rynek.base.typed import decode_msgpack

from .decode import Run, SeriesKey
from .files import fsync_folder


class Saved(msgspec.Struct):
    """The open runs as they were after the change `seq`."""

    seq: int
    runs: list[tuple[str, str, str | None, Run]]


def encode(seq: int, runs: dict[SeriesKey, Run]) -> bytes:
    """The runs as bytes (MessagePack)."""
    return msgspec.msgpack.encode(Saved(seq, [(*key, run) for key, run in runs.items()]))


def save(path: Path, data: bytes) -> None:
    """Replace the file atomically and durably."""
    fresh = path.with_suffix(".new")
    with fresh.open("wb") as out:
        out.write(data)
        out.flush()
        os.fsync(out.fileno())
    fresh.replace(path)
    fsync_folder(path.parent)


def load(path: Path) -> tuple[int, dict[SeriesKey, Run]] | None:
    """What was saved last: (seq, runs); None when nothing was or it cannot be read."""
    try:
        saved = decode_msgpack(path.read_bytes(), Saved)
    except (FileNotFoundError, msgspec.MsgspecError):
        return None
    return saved.seq, {(entity, attr, dataset): run for entity, attr, dataset, run in saved.runs}
