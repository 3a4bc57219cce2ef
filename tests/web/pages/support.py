"""A running service with two real cities: Poznań (a feed that reads a file) and Oslo (through the
API: a day of bike-share readings)."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from csv import DictReader
from datetime import UTC, datetime
from pathlib import Path
from socket import socket
from typing import Any

import httpx

ROOT = Path(__file__).resolve().parents[3]
TRAM = "urn:ngsi-ld:Vehicle:poznan"
STATION = "urn:ngsi-ld:BikeHireDockingStation:oslo:2351"
BUILDING = "urn:ngsi-ld:Building:oslo:<b>&'\"/?#"
STATIONS = 40

CITY = {
    "poznan": """
name = {en = "Poznań", bg = "Познан", uk = "Познань", sr = "Познањ", cs = "Poznaň"}
country = "PL"
zone = "Europe/Warsaw"
centre = [16.93, 52.41]
bounds = [16.6, 52.2, 17.3, 52.6]
[recording]
title = {en = "Vehicles of 28 January 2026", pl = "Pojazdy z 28 stycznia 2026"}
from = 2026-01-28T16:03:19
to = 2026-01-28
[[licence]]
what = {en = "Vehicle positions", pl = "Pozycje pojazdów"}
publisher = "ZTM Poznań"
licence = "unknown"
""",
    "oslo": """
name = "Oslo"
country = "NO"
zone = "Europe/Oslo"
[[licence]]
what = "Bike share"
publisher = "Oslo Bysykkel"
licence = "NLOD 2.0"
url = "https://oslobysykkel.no/apne-data"
""",
}
FEEDS = {
    "vehicles": """
kind = "gtfs_rt"
source = "{data}/gtfs_rt/poznan/2026-01-28T150359Z_vehicle_positions.pb"
provider = "ZTM Poznań"
theme = "transport"
""",
    "lost": """
kind = "gtfs_rt"
source = "{data}/gtfs_rt/poznan/no_such_file.pb"
""",
}


# Seconds that a service may take where many tests run at once.
PATIENCE = 120.0


def write_folder(folder: Path, data: Path) -> None:
    """The data folder's cities and feeds."""
    for name, text in CITY.items():
        tenant = folder / "tenants" / name
        (tenant / "feeds").mkdir(parents=True)
        (tenant / "city.toml").write_text(text, encoding="utf-8")
    for name, text in FEEDS.items():
        path = folder / "tenants" / "poznan" / "feeds" / f"{name}.toml"
        path.write_text(text.format(data=data.resolve()), encoding="utf-8")


def oslo_documents(data: Path) -> Iterator[list[dict[str, Any]]]:
    """One batch of NGSI-LD documents for each recorded status of 5 June 2023, oldest first."""
    with (data / "gbfs/oslo/station_information.csv").open(encoding="utf-8") as file:
        rows = {row["station_id"]: row for row in list(DictReader(file))[:STATIONS]}
    with tarfile.open(data / "gbfs/oslo/2023-06-05_station_status.tar.gz") as archive:
        for member in sorted(archive.getmembers(), key=lambda each: each.name):
            content = archive.extractfile(member)
            assert content is not None
            status = json.load(content)
            stations = [s for s in status["data"]["stations"] if s["station_id"] in rows]
            yield [_station(each, rows[each["station_id"]]) for each in stations]


def _station(status: dict[str, Any], row: dict[str, str]) -> dict[str, Any]:
    at = datetime.fromtimestamp(status["last_reported"], UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    place = {"type": "Point", "coordinates": [float(row["lon"]), float(row["lat"])]}
    return {
        "id": f"urn:ngsi-ld:BikeHireDockingStation:oslo:{row['station_id']}",
        "type": "BikeHireDockingStation",
        "name": {"type": "Property", "value": row["name"]},
        "location": {"type": "GeoProperty", "value": place},
        "totalSlotNumber": {"type": "Property", "value": int(row["capacity"])},
        "availableBikeNumber": {
            "type": "Property",
            "value": status["num_bikes_available"],
            "observedAt": at,
        },
        "dataProvider": {"type": "Property", "value": "Oslo Bysykkel"},
    }


def hostile_building() -> dict[str, Any]:
    """An entity whose every text tries to leave its place in a page, a file or a formula."""
    return {
        "id": "urn:ngsi-ld:Building:oslo:hostile",
        "type": "Building",
        "name": {"type": "Property", "value": "<script>alert(1)</script>"},
        "description": {"type": "Property", "value": '=HYPERLINK("http://x")"\'><img src=x>'},
        "source": {"type": "Property", "value": "javascript:alert(1)"},
        "height": {"type": "Property", "value": 1.7e308, "observedAt": "2026-01-01T00:00:00Z"},
        "depth": {"type": "Property", "value": -1e-320, "observedAt": "2026-01-01T00:00:00Z"},
        "isOn": {"type": "Relationship", "object": STATION},
        "isNear": {"type": "Relationship", "object": "urn:ngsi-ld:Building:oslo:gone"},
    }


def fill_oslo(client: httpx.Client, data: Path) -> None:
    """Write the readings through the API."""
    for batch in [*oslo_documents(data), [hostile_building()]]:
        answer = client.post(
            "/ngsi-ld/v1/entityOperations/upsert", json=batch, headers={"NGSILD-Tenant": "oslo"}
        )
        assert answer.status_code in (201, 204), answer.text


def _free_port() -> int:
    with socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def service(folder: Path, data: Path) -> Iterator[str]:
    """The address of a service on a folder with both cities; it ends with the block."""
    write_folder(folder, data)
    port = _free_port()
    command = [sys.executable, "-c", "from rynek.cli.main import main; main()", "serve"]
    environment = os.environ | {
        "PYTHONPATH": str(ROOT / "src"),
        "RYNEK_ACCESS_ANONYMOUS": "write",
        "RYNEK_TENANTS_DEFAULT": "poznan",
        "RYNEK_METRICS_ANONYMOUS": "loopback",
    }
    log = (folder / "log").open("wb")
    running = subprocess.Popen(
        [*command, "--data", str(folder), "--port", str(port)],
        env=environment,
        stdout=log,
        stderr=subprocess.STDOUT,
    )
    try:
        address = f"http://127.0.0.1:{port}"
        with httpx.Client(base_url=address, timeout=PATIENCE) as client:
            _until_ready(running, client, folder)
            fill_oslo(client, data)
            _until_vehicles(client)
        yield address
    finally:
        running.terminate()
        running.wait(PATIENCE)
        log.close()


def _until_ready(running: subprocess.Popen[bytes], client: httpx.Client, folder: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        assert running.poll() is None, (folder / "log").read_text()
        with contextlib.suppress(httpx.TransportError):
            if client.get("/health").status_code == 200:
                return
        time.sleep(0.1)
    raise AssertionError((folder / "log").read_text())


def _until_vehicles(client: httpx.Client) -> None:
    """Wait until the feed has brought its vehicles and the live picture shows them."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if client.get("/c/poznan/map/legend").json()["themes"].get("transport"):
            return
        time.sleep(0.2)
    raise AssertionError("the vehicles did not arrive")
