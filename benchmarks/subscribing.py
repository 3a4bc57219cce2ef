"""Subscriptions of the jobs that measure notifications."""

from __future__ import annotations

import json
import random
import urllib.request
from collections.abc import Callable, Iterable
from typing import Any

from benchmarks.entities import TYPE, identifier
from benchmarks.load import http


def subscribe(port: int, documents: Iterable[dict[str, Any]]) -> None:
    """Create subscriptions; RuntimeError when the server refuses one."""
    url = f"http://127.0.0.1:{port}/ngsi-ld/v1/subscriptions"
    for document in documents:
        body = json.dumps({"type": "Subscription"} | document).encode()
        request = urllib.request.Request(
            url, body, {"Content-Type": "application/json"}, method="POST"
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            if answer.status != 201:
                raise RuntimeError(f"the server refused a subscription: {answer.read(500)!r}")


def notification(uri: str) -> dict[str, Any]:
    """What to send where."""
    return {"endpoint": {"uri": uri}}


def several(count: int, uri: str) -> list[dict[str, Any]]:
    """`count` subscriptions as a city has them, of which one matches a change of a vehicle's
    speed: to single vehicles, other types, other attributes, values and places that are not met."""
    kinds: list[Callable[[int], dict[str, Any]]] = [
        lambda n: {"entities": [{"type": TYPE, "id": identifier(10_000_000 + n)}]},
        lambda n: {"entities": [{"type": f"Other{n}"}]},
        lambda n: {"entities": [{"type": TYPE}], "watchedAttributes": [f"attribute{n}"]},
        lambda n: {"entities": [{"type": TYPE}], "q": f'name=="vehicle {n}"'},
        lambda n: {"entities": [{"type": TYPE}], "q": f"speed>{1_000_000 + n}"},
        lambda n: {
            "entities": [{"type": TYPE}],
            "geoQ": {"georel": "near;maxDistance==500", "geometry": "Point",
                     "coordinates": [n / 100 % 90, 10]},
        },
    ]  # fmt: skip
    made = [
        kinds[n % len(kinds)](n) | {"notification": notification(uri)} for n in range(count - 1)
    ]
    return [*made, {"entities": [{"type": TYPE}], "notification": notification(uri)}]


def changes(count: int, number: int = 100_000) -> list[bytes]:
    """Patches of one attribute of one of `count` entities, of which each changes the value."""
    draw = random.Random(5)
    return [
        http(
            "PATCH",
            f"/ngsi-ld/v1/entities/{identifier(draw.randrange(count))}/attrs",
            json.dumps({"speed": {"type": "Property", "value": value}}).encode(),
            Content_Type="application/json",
        )
        for value in range(number)
    ]
