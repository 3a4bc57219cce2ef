"""Writes src/rynek/demo/data from a folder of recorded data: python tools/demo_data.py FOLDER.

Files are copied as they are, but for some that are packed otherwise (src/rynek/demo/SOURCES.toml
says so beside each): Sofia's CSVs are compressed; the last three days of Pardubice and the fill
levels of Praha become one CSV a poll, so that they can be replayed. Rows and their order stay.
"""

from __future__ import annotations

import gzip
import io
import shutil
import sys
import tarfile
from itertools import groupby
from pathlib import Path

TARGET = Path(__file__).parents[1] / "src" / "rynek" / "demo" / "data"
COPIED = {
    "kyiv": ["transit_positions/kyiv_*"],
    "poznan": ["gtfs_rt/poznan/*.pb", "transit_compact/poznan/*day.json.gz"],
    "plzen": ["gtfs/plzen_pmdp_2026-02-09.zip"],
    "krakow": ["gtfs_rt/krakow/*.pb"],
    "pardubice": ["bikeshare/pardubice/202[12]-*.csv.gz", "bikeshare/pardubice/places.csv"],
    "praha": ["parking/praha/P1*_parked_cars_monthly.tar.gz"],
    "oslo": ["gbfs/oslo/*"],
}
SPLIT = "2022-12"
REPLAYED = "2022-12-29"


def main(source: Path) -> None:
    """Write everything anew."""
    for city, patterns in COPIED.items():
        folder = TARGET / city
        folder.mkdir(parents=True, exist_ok=True)
        for pattern in patterns:
            for path in sorted(source.glob(pattern)):
                shutil.copyfile(path, folder / path.name)
    sofia(source)
    pardubice()
    praha(source)


def packed(data: bytes) -> bytes:
    """Gzip without a time in it, so that the same data give the same bytes."""
    return gzip.compress(data, 9, mtime=0)


def sofia(source: Path) -> None:
    """The inventory of each district, compressed."""
    folder = TARGET / "sofia"
    folder.mkdir(parents=True, exist_ok=True)
    for path in sorted(source.glob("waste/sofia_containers/*.csv")):
        (folder / f"{path.name}.gz").write_bytes(packed(path.read_bytes()))


def pardubice() -> None:
    """December 2022 in two: what is loaded as the past, and one CSV for each poll after it."""
    whole = TARGET / "pardubice" / f"{SPLIT}.csv.gz"
    header, *rows = gzip.decompress(whole.read_bytes()).decode().splitlines()
    past = [row for row in rows if row < REPLAYED]
    later = [row for row in rows if row >= REPLAYED]
    whole.write_bytes(packed("\n".join([header, *past, ""]).encode()))
    polls(TARGET / "pardubice" / f"{REPLAYED}_31_bikes.tar.gz", header, later)


def praha(source: Path) -> None:
    """The fill levels, one CSV for each time they were collected."""
    path = next(source.glob("waste/praha_kasparovo*.csv"))
    header, *rows = path.read_text("utf-8").splitlines()
    polls(TARGET / "praha" / f"{path.stem}.tar.gz", header, rows)


def polls(target: Path, header: str, rows: list[str]) -> None:
    """A tar with one CSV for each moment in the first column, named by it."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for moment, polled in groupby(rows, key=lambda row: row.split(",", 1)[0]):
            data = "\n".join([header, *polled, ""]).encode()
            info = tarfile.TarInfo(moment.replace(" ", "T").replace(":", "") + ".csv")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    target.write_bytes(packed(buffer.getvalue()))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
