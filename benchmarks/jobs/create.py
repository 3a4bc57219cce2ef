"""Create one entity, each answer after the commit to disk; 32 clients."""

import orjson
from benchmarks.entities import Data, entity
from benchmarks.load import MARK, http
from benchmarks.results import Target

CONNECTIONS = 32
WRITES = True
TARGET = Target(of_bare=0.15, at_least=3000)


def requests(data: Data) -> list[bytes]:
    made = []
    for number in range(5000):
        document = entity(number, 1)
        document["id"] = f"urn:ngsi-ld:Vehicle:new:{MARK.decode()}"
        body = orjson.dumps(document)
        made.append(http("POST", "/ngsi-ld/v1/entities", body, Content_Type="application/json"))
    return made
