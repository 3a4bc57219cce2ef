"""The NGSI-LD core @context, built in: never fetched, always last (CIM 009 §4.4)."""

from __future__ import annotations

import re
from functools import lru_cache
from importlib.resources import files
from typing import Any

import msgspec

from rynek.context.jsonld.compiled import CORE_URL, CompiledContext

__all__ = ["CORE_URL", "core_context", "core_terms", "is_core_url"]

_FILE = "data/ngsi-ld-core-context-v1.9.jsonld"
_CORE = re.compile(
    r"https?://uri\.etsi\.org/ngsi-ld/v1/ngsi-ld-core-context(-v1\.\d{1,2})?\.jsonld"
)


def is_core_url(url: str) -> bool:
    """Whether `url` names a version of the core context; all are answered with the newest."""
    return _CORE.fullmatch(url) is not None


@lru_cache(maxsize=1)
def core_terms() -> dict[str, Any]:
    """The content of the published core context's "@context" member."""
    text = (files("rynek.context.jsonld") / _FILE).read_bytes()
    document: dict[str, dict[str, Any]] = msgspec.json.decode(text)
    return document["@context"]


@lru_cache(maxsize=1)
def core_context() -> CompiledContext:
    """The compiled core context: what counts when neither client nor city names another."""
    from rynek.context.jsonld.build import compile_context

    return compile_context([], None)
