"""Write an entity, change it, ask for what is fast and for its past. Python alone is enough."""

import json
import os
import urllib.request
from typing import Any

API = os.environ.get("API", "http://127.0.0.1:8026/ngsi-ld/v1")
TENANT = os.environ.get("TENANT", "default")


def call(method: str, path: str, body: object = None) -> Any:
    """One request; the answer's JSON, or None where it has none."""
    request = urllib.request.Request(
        API + path,
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Content-Type": "application/json", "NGSILD-Tenant": TENANT},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        content = answer.read()
    return json.loads(content) if content else None


BUS = "urn:ngsi-ld:Vehicle:bus-7"
speed = {"value": 31, "unitCode": "KMH", "observedAt": "2026-11-22T10:00:00Z"}
call("POST", "/entityOperations/upsert", [{"id": BUS, "type": "Vehicle", "speed": speed}])
later = {"value": 24, "observedAt": "2026-11-22T10:00:20Z"}
call("PATCH", f"/entities/{BUS}/attrs/speed", later)

for bus in call("GET", "/entities?type=Vehicle&q=speed%3E20&format=simplified"):
    print("now:", bus["id"], bus["speed"])
past = call("GET", f"/temporal/entities/{BUS}?options=temporalValues")
print("past:", past["speed"]["values"])
