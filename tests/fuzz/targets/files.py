"""What an operator writes in TOML: feeds, mappings, cities, settings. Wrong is a ValueError that says what."""

from __future__ import annotations

import atexit
import contextlib
import shutil
import tempfile
from collections.abc import Callable, Iterator
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

from tests.fuzz.target import Target

from rynek.base import settings
from rynek.feeds.connectors.tabular.mapping import parse as parse_mapping
from rynek.feeds.files import load_feed, to_toml
from rynek.web.contract import parse_city


@lru_cache(maxsize=1)
def _file() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="rynek-fuzz-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder / "feed.toml"


def _files(data: bytes) -> None:
    path = _file()
    path.write_bytes(data)
    with _clear():
        config = load_feed(path)
        path.write_text(to_toml(config), encoding="utf-8")
        assert load_feed(path) == config
    path.write_bytes(data)
    with _clear():
        settings.load(path, {})
    readers: list[Callable[[str], Any]] = [parse_mapping, parse_city]
    for read in readers:
        with _clear(), contextlib.suppress(UnicodeDecodeError):
            read(data.decode())


@contextlib.contextmanager
def _clear() -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        assert str(error), repr(error)


def _seeds() -> Iterator[bytes]:
    yield b'kind = "gbfs"\nsource = "https://example.org/x"\nevery = 30\nbounds = [1, 2, 3, 4]\n[options]\nscope = "a"\n'
    yield b'name = "A"\ncountry = "PL"\nzone = "Europe/Warsaw"\ncentre = [20, 52]\n'
    yield b'[server]\nport = 8026\n[limits]\nmax_limit = 10\n[log]\nlevel = "info"\n'
    folder = resources.files("rynek.feeds.connectors.tabular") / "mappings"
    for file in sorted(folder.iterdir(), key=lambda one: one.name)[:6]:
        yield file.read_bytes()


TARGETS = (
    Target("files", _files, _seeds, ["[[", "]]", "= [", "{", "}", '"""', "inf", "nan", "1979-05-27T07:32:00Z", "options",
                                     "headers", "1e400", "0x7fffffffffffffff"]),
)  # fmt: skip
