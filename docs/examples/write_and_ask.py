"""Start rynek, write an entity through the API, ask for it and for its past."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import urllib.request
from typing import Any

BUS = {
    "id": "urn:ngsi-ld:Vehicle:bus-6",
    "type": "Vehicle",
    "speed": {"value": 31, "unitCode": "KMH", "observedAt": "2026-11-22T10:00:00Z"},
    "location": {"value": {"type": "Point", "coordinates": [16.93, 52.41]}},
}


def call(method: str, url: str, body: object = None) -> Any:
    """One request; the answer's JSON, or None when it has none."""
    request = urllib.request.Request(
        url,
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        content = answer.read()
    return json.loads(content) if content else None


def main() -> None:
    """Serve a new folder on a free port, with writing open to everyone."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "rynek", "serve", "--data", folder, "--port", "0"]
        server = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"RYNEK_ACCESS_ANONYMOUS": "write"},
        )
        try:
            assert server.stdout is not None
            address = server.stdout.readline().split()[-1].rstrip("/")  # ready http://127.0.0.1:…/
            api = f"{address}/ngsi-ld/v1"
            call("POST", f"{api}/entities", BUS)
            later = {"value": 24, "observedAt": "2026-11-22T10:00:20Z"}
            call("PATCH", f"{api}/entities/{BUS['id']}/attrs/speed", later)

            fast = call("GET", f"{api}/entities?type=Vehicle&q=speed%3E20&options=keyValues")
            print("now:", fast[0]["speed"])
            past = call("GET", f"{api}/temporal/entities/{BUS['id']}?options=temporalValues")
            print("past:", past["speed"]["values"])
            assert fast[0]["speed"] == 24
            assert len(past["speed"]["values"]) == 2
        finally:
            server.terminate()
            server.wait(timeout=10)


if __name__ == "__main__":
    main()
