"""Change one attribute of one entity, each answer after the commit to disk; 32 clients."""

import orjson
from benchmarks.entities import Data, draw
from benchmarks.load import http
from benchmarks.results import Target

CONNECTIONS = 32
WRITES = True
TARGET = Target(of_bare=0.15, at_least=3000)


def requests(data: Data) -> list[bytes]:
    numbers = data.of_main(20_000)
    return [
        http(
            "PATCH",
            f"/ngsi-ld/v1/entities/{data.identifier(number)}/attrs",
            orjson.dumps(
                {data.main.value: {"type": "Property", "value": draw(at, 1, 9) % 10_000 / 100}}
            ),
            Content_Type="application/json",
        )
        for at, number in enumerate(numbers)
    ]
