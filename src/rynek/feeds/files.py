"""Feeds as files: `<tenant>/feeds/<name>.toml`, one each."""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path
from typing import Any

import msgspec

from rynek.base.typed import convert
from rynek.feeds.contract import FeedConfig
from rynek.feeds.registry import complete

MAX_FILE = 256 * 1024
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}\Z")
_SECONDS = {"every": (0.5, 31 * 86_400.0), "timeout": (0.5, 600.0), "stale_after": (1.0, 1e9)}


def load_feed(path: Path) -> FeedConfig:
    """Read, check and complete one feed file; its name is the file's. ValueError says what is
    wrong."""
    if path.stat().st_size > MAX_FILE:
        raise ValueError(f"{path.name}: more than {MAX_FILE} bytes")
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
        raw.setdefault("name", path.stem)
        config = convert(raw, FeedConfig)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError) as error:
        raise ValueError(f"{path.name}: {error}") from error
    if config.name != path.stem:
        raise ValueError(f"{path.name}: the feed's name must be {path.stem!r}")
    return checked(config)


def checked(config: FeedConfig) -> FeedConfig:
    """The configuration with every option filled in; ValueError says what is wrong."""
    if not _NAME.match(config.name):
        raise ValueError(f"{config.name!r} is no feed name: lower case letters, digits, - and _")
    for key, (low, high) in _SECONDS.items():
        if not low <= getattr(config, key) <= high:
            raise ValueError(f"{config.name}: {key} must be between {low:g} and {high:g} seconds")
    if config.max_bytes < 1:
        raise ValueError(f"{config.name}: max_bytes must be above zero")
    if not config.source:
        raise ValueError(f"{config.name}: source must be given")
    if config.bounds is not None:
        west, south, east, north = config.bounds
        if not (west < east and south < north):
            raise ValueError(f"{config.name}: bounds must be [west, south, east, north]")
    return complete(config)


def save_feed(folder: Path, config: FeedConfig) -> Path:
    """Write `<folder>/<name>.toml` in one step, so that a running service never reads half of it.

    ValueError when the configuration is wrong; an existing file is replaced.
    """
    checked(config)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{config.name}.toml"
    draft = folder / f".{config.name}.{os.getpid()}.tmp"
    try:
        with draft.open("w", encoding="utf-8") as stream:
            stream.write(to_toml(config))
            stream.flush()
            os.fsync(stream.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    return path


def to_toml(config: FeedConfig) -> str:
    """The configuration as TOML, without what stands at its default."""
    defaults = FeedConfig(name="", kind="", source="")
    lines = []
    for key in FeedConfig.__struct_fields__:
        value = getattr(config, key)
        if key in ("options", "name") or value == getattr(defaults, key):
            continue
        lines.append(f"{key} = {_toml(value)}")
    if config.options:
        lines += ["", "[options]"]
        lines += [f"{_key(key)} = {_toml(value)}" for key, value in config.options.items()]
    return "\n".join(lines) + "\n"


def list_feeds(folder: Path) -> dict[str, Path]:
    """The feed files of a folder by name; empty when there is no folder."""
    if not folder.is_dir():
        return {}
    return {path.stem: path for path in sorted(folder.glob("*.toml")) if path.name[0] != "."}


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _text(name)


def _text(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return (
        '"' + "".join(c if c >= " " and c != "\x7f" else f"\\u{ord(c):04X}" for c in escaped) + '"'
    )


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_key(k)} = {_toml(v)}" for k, v in value.items()) + " }"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    raise ValueError(f"cannot be written as TOML: {value!r}")
