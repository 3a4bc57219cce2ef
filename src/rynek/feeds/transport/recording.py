"""Recordings: documents with the time at which each was received, in order.

A recording is a TOML manifest (below), or a folder, a tar or a JSON-lines file read by the
default rules: the time stands in the file's or member's name (2026-01-28T150319Z…), or in the
member `timestamp` of each line.

    title = "Kyiv, 55 minutes of vehicle positions"
    zone = "Europe/Kyiv"            # of times without a zone
    speed = 1.0                     # recording seconds per second
    loop = true
    start = "2026-02-07T16:35:00"   # where to begin; default the first document
    end = "2026-02-07T17:30:00"     # how long the clock goes on; default the last document
    max_gap = 600                   # longer silences are shortened to this many seconds; 0 keeps them

    [[read]]
    files = "*_vehicle_positions.pb"   # names, wildcards; relative to the manifest
    time = "name"                      # or a fixed time, or a JSON pointer ("/timestamp")
    part = ""                          # how the connector knows this kind of document
    lines = false                      # true: each line is one document
"""

from __future__ import annotations

import glob
import re
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import orjson

from rynek.base.typed import convert
from rynek.feeds.kit.content import inflate, tar_members
from rynek.feeds.kit.times import to_micros
from rynek.feeds.transport.contract import Payload, SourceError

MAX_ITEMS = 1_000_000
MAX_FILE = 512 * 1024 * 1024
_IN_NAME = re.compile(r"(\d{4})-?(\d\d)-?(\d\d)[T_-]?(\d\d)[:-]?(\d\d)[:-]?(\d\d)(Z?)")


class Read(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """One `[[read]]` rule of a manifest."""

    files: str
    time: str = "name"
    part: str = ""
    lines: bool = False


class Manifest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What a recording's TOML file says."""

    title: str = ""
    note: str = ""
    zone: str = "UTC"
    speed: float = 1.0
    loop: bool = False
    start: str = ""
    end: str = ""
    max_gap: float = 0.0
    read: list[Read]


class Item(msgspec.Struct):
    """One recorded document: when it came (epoch microseconds) and how to get its bytes."""

    at: int
    part: str
    name: str
    load: Callable[[], bytes]

    def payload(self) -> Payload:
        """The document as a feed gets it."""
        return Payload(self.load(), self.part, self.name, self.at)


class Recording(msgspec.Struct):
    """The documents in order of time, and how the recording wants to be played."""

    manifest: Manifest
    items: list[Item]
    folder: Path

    @property
    def start(self) -> int:
        """Where playing begins, in epoch microseconds."""
        if self.manifest.start:
            return to_micros(self.manifest.start, self.manifest.zone)
        return self.items[0].at

    @property
    def end(self) -> int:
        """Where playing ends: the time of the last document, or later where the manifest says."""
        last = self.items[-1].at
        if self.manifest.end:
            return max(last, to_micros(self.manifest.end, self.manifest.zone))
        return last


def open_recording(path: Path, zone: str = "UTC", max_bytes: int = MAX_FILE) -> Recording:
    """Read a manifest, a folder, a tar or a JSON-lines file.

    Documents of plain files are loaded when they are played; those inside tars and line files are
    kept in memory. SourceError when nothing can be read.
    """
    try:
        manifest, base = _manifest(path, zone)
        items = [item for rule in manifest.read for item in _items(rule, base, manifest, max_bytes)]
    except (OSError, ValueError, msgspec.ValidationError) as error:
        raise SourceError(f"recording {path.name}: {error}") from error
    if not items:
        raise SourceError(f"recording {path}: it holds no document with a time")
    if len(items) > MAX_ITEMS:
        raise SourceError(f"recording {path}: more than {MAX_ITEMS} documents")
    return Recording(manifest, sorted(items, key=lambda item: item.at), base)


def time_in_name(name: str, zone: str) -> int | None:
    """The time in a name such as 2026-01-28T150319Z_feeds.pb; None when there is none."""
    match = _IN_NAME.search(name)
    if match is None:
        return None
    year, month, day, hour, minute, second, utc = match.groups()
    iso = f"{year}-{month}-{day}T{hour}:{minute}:{second}{utc}"
    try:
        return to_micros(iso, zone)
    except ValueError:
        return None


def _manifest(path: Path, zone: str) -> tuple[Manifest, Path]:
    if path.suffix == ".toml":
        return convert(tomllib.loads(path.read_text("utf-8")), Manifest), path.parent
    if path.is_dir():
        return Manifest(zone=zone, read=[Read(files="*")]), path
    lines = path.name.removesuffix(".gz").endswith((".jsonl", ".ndjson"))
    rule = Read(files=glob.escape(path.name), time="/timestamp" if lines else "name", lines=lines)
    return Manifest(zone=zone, read=[rule]), path.parent


def _items(rule: Read, base: Path, manifest: Manifest, max_bytes: int) -> Iterator[Item]:
    pattern = (
        rule.files if Path(rule.files).is_absolute() else f"{glob.escape(str(base))}/{rule.files}"
    )
    found = glob.glob(pattern)  # noqa: PTH207 - Path.glob takes no absolute pattern
    names = [Path(name) for name in sorted(found)]
    if not names:
        raise ValueError(f"no file matches {rule.files!r}")
    for path in names:
        if not path.is_file():
            continue
        plain = path.name.removesuffix(".gz")
        if plain.endswith(".tar") or path.suffix == ".tgz":
            for name, data in tar_members(_read(path, max_bytes), max_bytes):
                yield from _item(rule, manifest, name, _constant(data))
        elif rule.lines:
            for number, line in enumerate(_load(path, max_bytes).splitlines(), 1):
                if line.strip():
                    yield from _item(rule, manifest, f"{plain}:{number}", _constant(line))
        else:
            yield from _item(rule, manifest, plain, _later(path, max_bytes))


def _item(rule: Read, manifest: Manifest, name: str, load: Callable[[], bytes]) -> Iterator[Item]:
    at: int | None
    if rule.time == "name":
        at = time_in_name(name.rsplit("/", 1)[-1], manifest.zone)
    elif rule.time.startswith("/"):
        at = _time_inside(load(), rule.time, manifest.zone)
    else:
        at = to_micros(rule.time, manifest.zone)
    if at is not None:
        yield Item(at, rule.part, name, load)


def _time_inside(data: bytes, pointer: str, zone: str) -> int | None:
    """The time under a JSON pointer (RFC 6901, members only); None when it is not there."""
    try:
        found: Any = orjson.loads(data)
        for step in pointer[1:].split("/"):
            found = found[step.replace("~1", "/").replace("~0", "~")]
        return to_micros(found, zone)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _constant(data: bytes) -> Callable[[], bytes]:
    return lambda: data


def _later(path: Path, max_bytes: int) -> Callable[[], bytes]:
    return lambda: _load(path, max_bytes)


def _load(path: Path, max_bytes: int) -> bytes:
    return inflate(_read(path, max_bytes), max_bytes)


def _read(path: Path, max_bytes: int) -> bytes:
    with path.open("rb") as stream:
        data = stream.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise ValueError(f"{path.name}: more than {max_bytes} bytes")
    return data
