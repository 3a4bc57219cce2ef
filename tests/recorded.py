"""The recorded data that tests read: ../shared/data, or of it what the demo ships.

A clone alone has only the demo's recordings, under the same names; tests of other files are then
skipped, and the end of the run says how many and what is missing (see conftest.py).
"""

from __future__ import annotations

import errno
import fcntl
import gzip
import os
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
_SHIPPED = ROOT / "src" / "rynek" / "demo" / "data"
_FOLDERS = {
    "krakow": "gtfs_rt/krakow",
    "kyiv": "transit_positions",
    "oslo": "gbfs/oslo",
    "pardubice": "bikeshare/pardubice",
    "plzen": "gtfs",
    "praha": "parking/praha",
    "sofia": "waste/sofia_containers",
}
# Packed otherwise in the demo than they were recorded: not the files that tests are about.
_OTHERWISE = ("2022-12", "praha_kasparovo")


def _full() -> Path | None:
    named = os.environ.get("RYNEK_TEST_DATA")
    folder = Path(named) if named else ROOT.parent / "shared" / "data"
    return folder if folder.is_dir() else None


def _shipped() -> Iterator[tuple[Path, str]]:
    for file in sorted(_SHIPPED.glob("*/*")):
        if file.name.startswith(_OTHERWISE):
            continue
        if file.parent.name == "poznan":
            folder = "gtfs_rt/poznan" if file.suffix == ".pb" else "transit_compact/poznan"
        else:
            folder = _FOLDERS[file.parent.name]
        yield file, f"{folder}/{file.name}"


def _assembled() -> Path:
    """The demo's recordings laid out as the recorded data are, in build/recorded."""
    target = ROOT / "build" / "recorded"
    target.mkdir(parents=True, exist_ok=True)
    with (target / ".lock").open("w") as lock:
        # Several test processes start at once; one lays the files out.
        fcntl.flock(lock, fcntl.LOCK_EX)
        for file, name in _shipped():
            packed = name.startswith("waste/")
            place = target / (name.removesuffix(".gz") if packed else name)
            if place.exists():
                continue
            place.parent.mkdir(parents=True, exist_ok=True)
            content = file.read_bytes()
            place.write_bytes(gzip.decompress(content) if packed else content)
    return target


_FOUND = _full()
COMPLETE = _FOUND is not None
"""Whether all recorded data are there."""
DATA: Path = _FOUND or _assembled()
"""The folder of recorded data; without the whole of it, that of the demo's recordings."""


def needed(name: str) -> Path:
    """A file or folder of the recorded data; FileNotFoundError (the test is then skipped in a
    clone without them) when it is not there."""
    path = DATA / name
    if not path.exists():
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
    return path
