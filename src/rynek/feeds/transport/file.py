"""A watched file or folder, polled by modification time and size.

A file is read whenever it changed. In a folder every new or changed file is read once, oldest
first. Names that start with a dot or end in .tmp or .part are passed over, and so is a file
that is still being written (changed within the last half second). A file that cannot be used
holds up no other: it is remembered as bad until it changes or goes.
"""

from __future__ import annotations

import asyncio
import stat as modes
import time
from collections.abc import Sequence
from pathlib import Path

from rynek.feeds.contract import FeedConfig, WriteReport
from rynek.feeds.transport.beside import read_beside
from rynek.feeds.transport.bounded import read_bounded
from rynek.feeds.transport.contract import Payload, SourceError

MAX_FILES = 100_000
FILES_A_POLL = 200
_SETTLED = 0.5
_FULL_FILES = 4
"""How many files of max_bytes one poll holds in memory at most."""
_Stamp = tuple[int, int]


class FileSource:
    """One file, or the files of one folder (not of folders inside it)."""

    paced = False

    def __init__(self, config: FeedConfig, base: Path | None = None) -> None:
        path = Path(config.source.removeprefix("file://")).expanduser()
        self._path = path if path.is_absolute() or base is None else base / path
        self._config = config
        self._max_bytes = config.max_bytes
        self._seen: dict[Path, _Stamp] = {}
        self._pending: dict[int, tuple[Payload, Path, _Stamp]] = {}
        self._bad: dict[Path, tuple[_Stamp, str]] = {}

    async def fetch(self) -> Sequence[Payload]:
        """Files that are new or changed; SourceError when the path is not there."""
        return await asyncio.to_thread(self._read)

    async def more(self, documents: Sequence[tuple[str, str]]) -> Sequence[Payload]:
        """Documents beside the file, when the file itself is new."""
        folder = self._path if self._path.is_dir() else self._path.parent
        if not self._pending:
            return []
        return await asyncio.to_thread(read_beside, folder, documents, self._config)

    def confirm(self, report: WriteReport) -> None:
        """Those files are done."""
        for payload, _, _ in list(self._pending.values()):
            self.done(payload)

    def reject(self, error: Exception) -> None:
        """Trouble that is not a file's own (a full disk …): what is not done comes again."""
        self._pending.clear()

    def done(self, payload: Payload) -> None:
        """This file is written; it comes again only when it changes."""
        _, path, stamp = self._pending.pop(id(payload))
        self._seen[path] = stamp

    def refuse(self, payload: Payload, error: Exception) -> None:
        """This file's bytes are not of the kind; it is tried again only when it changes."""
        _, path, stamp = self._pending.pop(id(payload))
        self._refused(path, stamp, error)

    def trouble(self) -> str | None:
        """Which files could not be used as they are now, and why; None when there are none."""
        if not self._bad:
            return None
        reason = next(iter(self._bad.values()))[1]
        more = len(self._bad) - 1
        return f"{reason} (and {more} more files)" if more else reason

    async def close(self) -> None:
        """Nothing stays open between polls."""

    def _read(self) -> list[Payload]:
        found: list[Payload] = []
        left = self._max_bytes * _FULL_FILES
        for path, stamp in self._changed()[:FILES_A_POLL]:
            if left <= 0:
                break  # the others are read in the next poll
            try:
                data = read_bounded(path, self._max_bytes)
            except FileNotFoundError:
                continue
            except (OSError, ValueError) as error:
                self._refused(path, stamp, error)
                continue
            left -= len(data)
            payload = Payload(data, "", path.name.removesuffix(".gz"))
            self._pending[id(payload)] = (payload, path, stamp)
            found.append(payload)
        return found

    def _refused(self, path: Path, stamp: _Stamp, error: Exception) -> None:
        self._seen[path] = stamp
        self._bad[path] = (stamp, f"{path.name}: {error}"[:400])

    def _changed(self) -> list[tuple[Path, _Stamp]]:
        newest = time.time_ns() - int(_SETTLED * 1e9)
        found: list[tuple[Path, _Stamp]] = []
        bad, self._bad = self._bad, {}
        for path in self._paths():
            try:
                stat = path.stat()
            except FileNotFoundError:
                if not path.is_symlink():
                    continue
                self._bad[path] = ((0, 0), f"{path.name}: a link that leads nowhere")
                continue
            except OSError as error:
                self._bad[path] = ((0, 0), f"{path.name}: {error.strerror or error}")
                continue
            if modes.S_ISDIR(stat.st_mode):
                continue
            stamp = (stat.st_mtime_ns, stat.st_size)
            if path in bad and bad[path][0] == stamp:
                self._bad[path] = bad[path]
            settled = stat.st_mtime_ns <= newest or path == self._path
            if settled and self._seen.get(path) != stamp:
                found.append((path, stamp))
        return sorted(found, key=lambda item: (item[1][0], item[0].name))

    def _paths(self) -> list[Path]:
        try:
            if not self._path.is_dir():
                self._path.stat()
                return [self._path]
            names = [item for item in self._path.iterdir() if _wanted(item)]
        except OSError as error:
            raise SourceError(f"cannot read {self._path}: {error.strerror or error}") from error
        if len(names) > MAX_FILES:
            raise SourceError(f"more than {MAX_FILES} files in {self._path}")
        return names


def _wanted(path: Path) -> bool:
    name = path.name
    return not name.startswith(".") and not name.endswith((".tmp", ".part"))
