"""The handler that serves the API's own description."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from rynek.web.api.bodies import dumps
from rynek.web.api.call import JSON, Call, Reply
from rynek.web.api.openapi import document
from rynek.web.api.route import Route


async def describe_api(call: Call) -> Reply:
    """The description of this API (OpenAPI 3.1, §6.2): GET /openapi.json."""
    return Reply(200, _encoded(call.base_path), JSON)


@lru_cache(maxsize=4)
def _encoded(base_path: str) -> bytes:
    # Imported late: the routes include this one.
    from rynek.web.api.routes import ROUTES as ALL

    return dumps(document(ALL, base_path))


ROUTES: Final = (Route("GET", "openapi.json", describe_api, "read"),)
