"""A city whose bike stations were observed all day, for tests of indicators over HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rynek.app import Engine
from rynek.base.clock import to_iso

HOUR = 3_600_000_000
STATIONS = 3


def name_city(folder: Path, tenant: str, name: str, zone: str = "Europe/Prague") -> None:
    """Write a tenant's city.toml before the engine opens its folder."""
    home = folder / "data" / "tenants" / tenant
    home.mkdir(parents=True)
    text = f'name = "{name}"\ncountry = "CZ"\nzone = "{zone}"\n'
    (home / "city.toml").write_text(text, encoding="utf-8")


async def observe(engine: Engine, tenant: str, bikes: float = 4, hours: int = 30) -> None:
    """Three stations, each read every half hour until now; the last of them is empty all the time."""
    home = engine.tenant(tenant, create=True)
    now = home.clock.now()
    for ago in range(2 * hours, -1, -1):
        at = to_iso(now - ago * HOUR // 2)
        report = await home.context.ingest(
            [_station(tenant, n, bikes, at) for n in range(STATIONS)], "t"
        )
        assert report.rejected == []
    await home.history.flush()


def _station(tenant: str, n: int, bikes: float, at: str) -> dict[str, Any]:
    number = 0 if n == STATIONS - 1 else bikes + n
    return {
        "id": f"urn:ngsi-ld:BikeHireDockingStation:{tenant}:{n}",
        "type": "BikeHireDockingStation",
        "availableBikeNumber": {"type": "Property", "value": number, "observedAt": at},
    }
