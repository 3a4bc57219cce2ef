"""A clock that is set back, forward by years and back again: nothing lost, doubled or deleted."""

from __future__ import annotations

import asyncio
import random
import struct
import subprocess
import time
from pathlib import Path

from tests.demo.service import Service, until

from rynek.base.clock import MICRO, ClockWatch, SystemClock, parse_iso

from .ledger import API, Ledger, check
from .test_full import write
from .test_kill import SETTINGS

YEARS = 14 * 365 * 86_400.0


class Dial:
    """Sets the clock of processes that are started with its environment."""

    def __init__(self, tools: Path) -> None:
        self._control = tools / "offset"
        self._library = tools / "clock.so"
        source = Path(__file__).with_name("clock.c")
        command = ["cc", "-shared", "-fPIC", "-O1", "-o", str(self._library), str(source), "-ldl"]
        subprocess.run(command, check=True, capture_output=True)
        self.set(0)

    @property
    def environment(self) -> dict[str, str]:
        return {"LD_PRELOAD": str(self._library), "CLOCK_CONTROL": str(self._control)}

    def set(self, seconds: float) -> None:
        """So many seconds beside the true time, at once for all."""
        if not self._control.exists():
            self._control.write_bytes(bytes(8))
        with self._control.open("r+b") as file:
            file.write(struct.pack("d", seconds))


def test_a_clock_that_is_set_loses_and_doubles_nothing(tmp_path: Path) -> None:
    dial, ledger, draw = Dial(tmp_path), Ledger(), random.Random(5)
    settings = SETTINGS | {
        "RYNEK_HISTORY_RETENTION_DAYS": "400",
        "RYNEK_HISTORY_FLUSH_SECONDS": "0.1",
    }
    service = Service("serve", tmp_path / "data", **settings, **dial.environment)
    try:
        later = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 864_000))
        short = {"id": "urn:ngsi-ld:Short:1", "type": "Short", "expiresAt": later}
        assert service.client.post(f"{API}/entities", json=short).status_code == 201
        for seconds in (0.0, -180.0, YEARS, 0.0, -7200.0):
            dial.set(seconds)
            asyncio.run(write(service, ledger, draw, 12))
            assert ledger.statuses.keys() <= {200, 201, 204}, ledger.problems
            # A flush, and the upkeep after it, under this clock.
            wait_for_history(service, ledger)
            assert service.client.get(f"{API}/entities/urn:ngsi-ld:Short:1").status_code == 200
        dial.set(0)
        written = modified(service, ledger)
        assert abs(written - time.time()) < 86_400, "it follows the clock back from 2040"
        assert "Traceback" not in service.errors()
        service.kill()
    finally:
        service.client.close()
        service.process.kill()
    check(ledger, tmp_path)


def wait_for_history(service: Service, ledger: Ledger) -> None:
    """Until the newest value of an entity is in a file, as a fresh reader of the table sees it."""
    name = next(name for name, values in ledger.acked.items() if values[-1] != -1)
    path = f"{API}/temporal/entities/{name}?attrs=count&options=temporalValues"

    def there() -> bool:
        found = service.client.get(f"{path}&timeproperty=modifiedAt").json()
        return ledger.acked[name][-1] in [value for value, _ in found["count"]["values"]]

    until(there, "the newest value is in the past")


def modified(service: Service, ledger: Ledger) -> float:
    """When a write that comes now is said to have been made."""
    name = next(name for name, values in ledger.acked.items() if values[-1] != -1)
    body = {"other": {"type": "Property", "value": 1}}
    assert service.client.patch(f"{API}/entities/{name}", json=body).status_code in (204, 207)
    found = service.client.get(f"{API}/entities/{name}", params={"options": "sysAttrs"}).json()
    return parse_iso(found["modifiedAt"]) / MICRO


def test_the_clock_goes_on_slowly_until_it_is_right() -> None:
    clock = SystemClock()
    first = clock.now()
    # As if it had been set back by a second just now.
    clock._last = first + MICRO
    seen = [clock.now() for _ in range(2000)]
    assert seen == sorted(set(seen))
    assert seen[0] > first + MICRO
    assert seen[-1] - seen[0] < 10 * MICRO
    clock._last = first + 7200 * MICRO
    assert clock.now() < first + 60 * MICRO


def test_a_watch_holds_after_a_jump_and_not_otherwise() -> None:
    watch = ClockWatch()
    assert watch.is_steady()
    watch._wall -= 7200
    assert not watch.is_steady()
    assert not watch.is_steady()
    watch._held_until = 0
    assert watch.is_steady()
