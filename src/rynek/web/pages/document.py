"""An entity as an indented NGSI-LD document, as a GET of the programming interface shows it."""

from __future__ import annotations

from typing import Any

import orjson

__all__ = ["document"]


def document(row: Any) -> str:
    """The stored representation (rynek.context's row: body and context) with "@context"."""
    whole = row.body[:-1] + row.ctx.suffix
    return orjson.dumps(orjson.loads(whole), option=orjson.OPT_INDENT_2).decode()
