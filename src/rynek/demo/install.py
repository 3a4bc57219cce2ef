"""Lays the cities out in a data folder: city.toml, feeds, and the recordings that they replay."""

from __future__ import annotations

import os
import shutil
from hashlib import sha256
from pathlib import Path
from typing import Final

from rynek.base.folder import DataFolder, FolderError, write_atomically
from rynek.demo.surveys import MADE
from rynek.indicators import (
    INDICATORS_FILE,
    PROFILES_FILE,
    SURVEYS_FILE,
    seed_comparisons,
    seed_references,
)
from rynek.practices.search import INDEX_FILE

_HERE: Final = Path(__file__).parent
CITIES: Final = tuple(sorted(path.name for path in (_HERE / "cities").iterdir() if path.is_dir()))
DEFAULT_CITY: Final = "kyiv"
_TABLES: Final = (
    ("eurostat-urb-cpop1", _HERE / "reference" / "eurostat_urb_cpop1.csv"),
    (str(_HERE / "reference" / "demo-cities.toml"), _HERE / "reference" / "cities.csv"),
)
"""What values for so many inhabitants or km² are divided by: definition and file."""
_MARK: Final = "demo"
_PAST: Final = "past.toml"

_DATABASES: Final = (
    "system.db",
    "practices.db",
    INDEX_FILE,
    INDICATORS_FILE,
    PROFILES_FILE,
    SURVEYS_FILE,
)


def data_folder() -> Path:
    """Where the demo keeps its data unless told: the user's cache, or `XDG_CACHE_HOME`."""
    cache = os.environ.get("XDG_CACHE_HOME", "")
    base = Path(cache) if cache.startswith("/") else Path.home() / ".cache"
    return base / "rynek" / "demo"


def install(folder: Path, *, fresh: bool = False) -> None:
    """Write the cities into `folder`; what is there from before and has not changed stays.

    `fresh` empties the folder first. FolderError when it holds something that is not a demo.
    """
    mark = folder / _MARK
    lock = DataFolder(folder)
    if not mark.exists() and folder.exists() and any(folder.iterdir()):
        raise FolderError(f"{folder} holds other data: choose a folder of its own for the demo")
    lock.open()
    try:
        if fresh:
            _empty(folder)
        digest = _digest()
        if mark.exists() and mark.read_text() == digest:
            return
        mark.write_text("")
        for city in CITIES:
            _install_city(city, folder / "tenants" / city)
        seed_comparisons(folder)
        seed_references(folder, _TABLES)
        write_atomically(mark, digest.encode())
    except OSError as error:
        raise FolderError(f"{folder}: {error.strerror}: choose another with --data") from error
    finally:
        lock.close()


def _empty(folder: Path) -> None:
    """Delete what the demo made; the lock file stays, a process holds it."""
    made = ("tenants", *_DATABASES, MADE, _MARK)
    for path in (folder / name for name in made):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    for name in _DATABASES:
        for path in folder.glob(f"{name}-*"):
            path.unlink(missing_ok=True)


def _install_city(name: str, target: Path) -> None:
    recordings = target / "feeds" / "recording"
    recordings.mkdir(parents=True, exist_ok=True)
    for path in recorded(name):
        shutil.copyfile(path, recordings / path.name)
    source = _HERE / "cities" / name
    for path in sorted(source.rglob("*.toml")):
        if path.name != _PAST:
            copy = target / path.relative_to(source)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)


def recorded(city: str) -> list[Path]:
    """The data files that the city's feeds read; those of its past are read where they are."""
    past = set(past_files(city))
    return [path for path in sorted((_HERE / "data" / city).iterdir()) if path not in past]


def past_files(city: str) -> list[Path]:
    """The files of the city's past, oldest first."""
    folder = _HERE / "data" / city
    return sorted(folder.glob("20[0-9][0-9]-[0-9][0-9].csv.gz"))


def past_manifest(city: str) -> Path:
    """What is loaded in bulk, where the city has such a past."""
    return _HERE / "cities" / city / _PAST


def _digest() -> str:
    """One name for all that is laid out, so that another version of the demo lays it out anew."""
    known = sha256()
    for path in sorted(path for path in _HERE.rglob("*") if path.is_file()):
        if path.suffix != ".pyc":
            known.update(f"{path.relative_to(_HERE)} {path.stat().st_size}\n".encode())
            if path.suffix == ".toml":
                known.update(path.read_bytes())
    return known.hexdigest()
