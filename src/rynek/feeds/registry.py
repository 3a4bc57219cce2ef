"""Connectors by kind, found by their folders: `connectors/<kind>/{feed.toml, __init__.py, …}`.

`__init__` of the folder exposes `connector`. feed.toml describes it:

    kind = "gtfs_rt"
    title = "GTFS-Realtime"
    reads = "one sentence: what it takes and what it makes"
    media_types = ["application/x-protobuf"]
    extensions = [".pb"]
    makes = ["Vehicle"]          # entity types

    [options.scope]
    type = "string"              # string, integer, number, boolean, array, table
    default = ""
    doc = "one sentence"
"""

from __future__ import annotations

import importlib
import logging
import tomllib
from functools import lru_cache
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any

import msgspec

from rynek.base.typed import convert
from rynek.feeds.contract import Connector, FeedConfig

_log = logging.getLogger(__name__)
_PACKAGE = "rynek.feeds.connectors"
_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "table": (dict,),
}


class Option(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """One `[options]` key of a kind. An option without default must be given."""

    type: str
    doc: str
    default: Any = None
    required: bool = False


class Manifest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What feed.toml says about a kind of feed."""

    kind: str
    title: str
    reads: str
    makes: list[str] = []
    media_types: list[str] = []
    extensions: list[str] = []
    options: dict[str, Option] = {}


class Kind(msgspec.Struct):
    """A manifest and the connector that goes with it."""

    manifest: Manifest
    connector: Connector


@lru_cache(maxsize=1)
def kinds() -> dict[str, Kind]:
    """Every connector in the connectors folder by kind, sorted by name."""
    found: dict[str, Kind] = {}
    for folder in sorted(resources.files(_PACKAGE).iterdir(), key=lambda item: item.name):
        toml = folder / "feed.toml"
        if folder.is_dir() and toml.is_file():
            try:
                kind = _load(folder, toml)
            except Exception:
                # One folder that cannot be loaded must not take the other kinds with it.
                _log.exception("connector cannot be loaded", extra={"connector": folder.name})
                continue
            found[kind.manifest.kind] = kind
    return found


def kind_of(name: str) -> Kind:
    """The connector of that kind; ValueError that lists the kinds there are."""
    known = kinds()
    if name not in known:
        raise ValueError(f"unknown kind of feed {name!r}; there are: {', '.join(known)}")
    return known[name]


def complete(config: FeedConfig) -> FeedConfig:
    """The configuration with defaults of the kind's options filled in.

    ValueError for an unknown kind or option, a missing required one, or a wrong type.
    """
    manifest = kind_of(config.kind).manifest
    for key in config.options:
        if key not in manifest.options:
            known = ", ".join(sorted(manifest.options)) or "none"
            raise ValueError(f"{config.kind}: unknown option {key!r}; there are: {known}")
    options: dict[str, Any] = {}
    for key, option in manifest.options.items():
        if key in config.options:
            options[key] = _checked(config.kind, key, option, config.options[key])
        elif option.required:
            raise ValueError(f"{config.kind}: option {key!r} must be given: {option.doc}")
        elif option.default is not None:
            options[key] = option.default
    completed = msgspec.structs.replace(config, options=options)
    prepare = getattr(kind_of(config.kind).connector, "prepare", None)
    return completed if prepare is None else prepare(completed)


def _load(folder: Traversable, toml: Traversable) -> Kind:
    manifest = convert(tomllib.loads(toml.read_text(encoding="utf-8")), Manifest)
    connector: Connector = importlib.import_module(f"{_PACKAGE}.{folder.name}").connector
    if connector.kind != manifest.kind:
        raise ValueError(f"{folder.name}: feed.toml says {manifest.kind!r}")
    return Kind(manifest, connector)


def _checked(kind: str, key: str, option: Option, value: Any) -> Any:
    wanted = _TYPES[option.type]
    if not isinstance(value, wanted) or (bool not in wanted and isinstance(value, bool)):
        raise ValueError(f"{kind}: option {key!r} must be of type {option.type}")
    return value
