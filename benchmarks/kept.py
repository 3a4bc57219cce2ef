"""Data folders that are filled once for each size and copied for each server that is measured."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks import entities, server
from benchmarks.entities import Data

HOME = Path(os.environ.get("RYNEK_BENCH_DATA") or server.ROOT / ".bench")


@contextlib.contextmanager
def copy_of(data: Data) -> Iterator[Path]:
    """A data folder of its own that holds these entities, for the length of the block."""
    with copied(folder_of(data)) as folder:
        yield folder


@contextlib.contextmanager
def copied(kept: Path) -> Iterator[Path]:
    """A copy of a kept folder, written through to the disk before it is measured."""
    with tempfile.TemporaryDirectory(prefix="run-", dir=HOME) as made:
        folder = Path(made) / "data"
        subprocess.run(["cp", "-a", "--reflink=auto", str(kept), str(folder)], check=True)
        _sync(folder)
        yield folder


def folder_of(data: Data) -> Path:
    """The kept folder with these entities; filled now where there is none."""
    told = [f"{kind}:{count}" for kind, count in data.counts.items()]
    return kept(f"entities-{data.count}", [*told, str(entities.entity(1))], _filler(data))


def kept(name: str, about: list[str], fill: Callable[[Path], None]) -> Path:
    """The folder made by `fill` under this name; made anew when `about` or the form of the store
    is another than it was."""
    from rynek.context.store.schema import MIGRATIONS

    text = repr([*about, len(MIGRATIONS)])
    digest = hashlib.sha256(text.encode()).hexdigest()[:10]
    path = HOME / f"{name}-{digest}"
    if not path.is_dir():
        HOME.mkdir(parents=True, exist_ok=True)
        for old in HOME.glob(f"{name}-??????????"):
            shutil.rmtree(old)
        draft = HOME / f".{name}-{os.getpid()}"
        shutil.rmtree(draft, ignore_errors=True)
        started = time.monotonic()
        print(f"filling {path.name} …", end=" ", file=sys.stderr, flush=True)
        fill(draft)
        draft.rename(path)
        print(f"{time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)
    return path


def size_of(folder: Path) -> int:
    """Bytes of all files below."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _filler(data: Data) -> Callable[[Path], None]:
    def fill(folder: Path) -> None:
        with server.rynek(folder, both_cores=True) as port:
            entities.fill(port, data)

    return fill


def _sync(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
