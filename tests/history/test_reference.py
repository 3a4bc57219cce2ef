"""Reference tables: versions replaced as a whole, names that cannot escape, missing ones clear."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from rynek.history import ParquetReference

STOPS = pa.table({"stop_id": ["1", "2"], "name": ["Majdan", "Podil"]})
TRIPS = pa.table({"trip_id": ["a"]})


def test_a_version_replaces_the_one_before(tmp_path: Path) -> None:
    store = ParquetReference(tmp_path / "reference")
    assert store.version("gtfs:kyiv") is None
    store.put("gtfs:kyiv", "2026-01", {"stops": STOPS, "trips": TRIPS})
    assert store.version("gtfs:kyiv") == "2026-01"
    assert store.get("gtfs:kyiv", "stops").equals(STOPS)
    assert store.get("gtfs:kyiv", "stops", ["name"]).column_names == ["name"]
    store.put("gtfs:kyiv", "2026-02", {"stops": STOPS.slice(1)})
    again = ParquetReference(tmp_path / "reference")
    assert again.version("gtfs:kyiv") == "2026-02"
    assert again.get("gtfs:kyiv", "stops").num_rows == 1
    with pytest.raises(KeyError):
        again.get("gtfs:kyiv", "trips")
    assert len(list((tmp_path / "reference").rglob("*.parquet"))) == 1


def test_the_same_version_again_changes_nothing(tmp_path: Path) -> None:
    store = ParquetReference(tmp_path)
    store.put("g", "1", {"stops": STOPS})
    store.put("g", "1", {"stops": TRIPS})
    assert store.get("g", "stops").equals(STOPS)


def test_what_a_crash_left_is_not_seen(tmp_path: Path) -> None:
    store = ParquetReference(tmp_path)
    store.put("g", "1", {"stops": STOPS})
    (tmp_path / "vg" / ".new-00").mkdir()
    (tmp_path / "vg" / "v2").mkdir()
    assert store.version("g") == "1"
    store.put("g", "2", {"stops": TRIPS})
    assert store.get("g", "stops").equals(TRIPS)
    assert sorted(path.name for path in (tmp_path / "vg").iterdir()) == ["CURRENT", "v2"]


@pytest.mark.parametrize("name", ["../evil", "/etc/passwd", ".", "..", "", "a/b", "zażółć", "\0"])
def test_names_stay_inside(tmp_path: Path, name: str) -> None:
    store = ParquetReference(tmp_path / "root")
    store.put(name, name, {"stops": STOPS})
    assert store.version(name) == name
    assert store.get(name, "stops").equals(STOPS)
    assert [path.name for path in tmp_path.iterdir()] == ["root"]
    with pytest.raises(ValueError, match="table name"):
        store.put("g", "1", {f"../{name}": STOPS})
    with pytest.raises(KeyError):
        store.get(name, f"../{name}")
