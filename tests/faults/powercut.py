"""What a power cut leaves of a folder: replays a record of file operations up to a moment.

recorder.c writes the record. Bytes that were synced are there; of what came after the last sync of
a file any part may be there, whole or torn, and in any order. A file's name is there once the file
or its folder was synced after it got it; of later renames, links and removals a prefix happened.
"""

from __future__ import annotations

import os
import random
import struct
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

HEAD = struct.Struct("<cHHIq")
SECTOR = 512


@dataclass
class Operation:
    """One record: op as in recorder.c."""

    op: str
    path: str
    second: str
    offset: int
    data: bytes


def build(folder: Path) -> Path:
    """Compile the recorder."""
    library = folder / "recorder.so"
    source = Path(__file__).with_name("recorder.c")
    command = ["cc", "-shared", "-fPIC", "-O1", "-o", str(library), str(source), "-ldl"]
    subprocess.run(command, check=True, capture_output=True)
    return library


def environment(library: Path, root: Path, log: Path) -> dict[str, str]:
    """What a process needs in its environment to be recorded."""
    return os.environ | {
        "LD_PRELOAD": str(library), "POWERCUT_ROOT": str(root), "POWERCUT_LOG": str(log)
    }  # fmt: skip


def read(log: Path) -> list[Operation]:
    """The record; a last one that is not whole is left out."""
    raw = log.read_bytes()
    found: list[Operation] = []
    at = 0
    while at + HEAD.size <= len(raw):
        op, first, second, size, offset = HEAD.unpack_from(raw, at)
        end = at + HEAD.size + first + second + size
        if end > len(raw):
            break
        at += HEAD.size
        path = raw[at : at + first].decode()
        other = raw[at + first : at + first + second].decode()
        found.append(Operation(op.decode(), path, other, offset, raw[end - size : end]))
        at = end
    return found


@dataclass
class _File:
    """A file's synced bytes, and what was done to it since: (offset, data) or (size, None)."""

    synced: bytearray = field(default_factory=bytearray)
    pending: list[tuple[int, bytes | None]] = field(default_factory=list)

    def sync(self) -> None:
        for offset, data in self.pending:
            _apply(self.synced, offset, data)
        self.pending.clear()

    def left(self, draw: random.Random) -> bytes:
        """The synced bytes, and of the others what the draw lets through."""
        image = bytearray(self.synced)
        if draw.random() < 0.3:
            return bytes(image)
        chance = draw.choice((0.5, 0.9, 1.0))
        for offset, data in self.pending:
            if data is None:
                if draw.random() < chance:
                    _apply(image, offset, None)
                continue
            for start in range(0, len(data), SECTOR):
                if draw.random() < chance:
                    _apply(image, offset + start, data[start : start + SECTOR])
        return bytes(image)


def _apply(image: bytearray, offset: int, data: bytes | None) -> None:
    if data is None:
        del image[offset:]
        image.extend(bytes(max(0, offset - len(image))))
        return
    if len(image) < offset:
        image.extend(bytes(offset - len(image)))
    image[offset : offset + len(data)] = data


class _Disk:
    def __init__(self) -> None:
        self.names: dict[str, _File] = {}
        self.durable: dict[str, _File] = {}
        self.waiting: list[tuple[str, _File | None]] = []

    def run(self, one: Operation) -> None:
        if one.op in "wt":
            file = self.names.get(one.path)
            if file is None:
                file = self.names[one.path] = _File()
                self.waiting.append((one.path, file))
            file.pending.append((one.offset, one.data if one.op == "w" else None))
        elif one.op == "s":
            self._sync(one.path)
        elif one.op in "rl":
            file = self.names.get(one.path)
            if file is None:
                file = _File()
            self.names[one.second] = file
            self.waiting.append((one.second, file))
            if one.op == "r":
                self._remove(one.path)
        else:
            self._remove(one.path)

    def _remove(self, path: str) -> None:
        self.names.pop(path, None)
        self.waiting.append((path, None))

    def _sync(self, path: str) -> None:
        file = self.names.get(path)
        if file is not None:
            file.sync()
            # The journal of a file system takes the new file's name along with its first sync.
            self.waiting = [w for w in self.waiting if not self._settle(w, w[1] is file)]
        else:
            inside = path.rstrip("/")
            self.waiting = [
                w for w in self.waiting if not self._settle(w, w[0].rpartition("/")[0] == inside)
            ]

    def _settle(self, waiting: tuple[str, _File | None], now: bool) -> bool:
        path, file = waiting
        if now:
            self._name(path, file)
        return now

    def _name(self, path: str, file: _File | None) -> None:
        if file is None:
            self.durable.pop(path, None)
        else:
            self.durable[path] = file


def cut(
    operations: list[Operation], until: int, draw: random.Random
) -> Iterator[tuple[str, bytes]]:
    """(path, content) of every file that is left when the power goes after `until` operations."""
    disk = _Disk()
    for one in operations[:until]:
        disk.run(one)
    for path, file in disk.waiting[: draw.randint(0, len(disk.waiting))]:
        disk._name(path, file)
    for path, file in disk.durable.items():
        yield path, file.left(draw)
