"""The built-in base map: open geography, simplified, with the sources it must name."""

from __future__ import annotations

import hashlib
import tomllib
from functools import cache
from pathlib import Path
from typing import Final

import msgspec

from rynek.base.typed import convert
from rynek.web.contract import Text

__all__ = ["Layer", "layers_for", "read_layer"]

_HERE: Final = Path(__file__).parent


class Layer(msgspec.Struct, frozen=True):
    """One file of the base map, as in SOURCES.toml.

    `tenants` are the cities it belongs to (empty: every map); `kind` tells the style how to draw
    it (land, countries, boundary, districts, signals); `attribution` is what the page's footer says.
    """

    name: str
    kind: str
    what: str
    publisher: str
    licence: str
    attribution: Text
    url: str = ""
    tenants: tuple[str, ...] = ()
    changed: str = ""


@cache
def _catalogue() -> dict[str, Layer]:
    entries = tomllib.loads((_HERE / "SOURCES.toml").read_text(encoding="utf-8"))["layer"]
    layers = convert(entries, list[Layer])
    return {layer.name: layer for layer in layers}


def layers_for(tenant: str | None) -> list[Layer]:
    """The layers of a city's map, far-off ones first; of the network's map without a tenant."""
    return [
        layer
        for layer in _catalogue().values()
        if not layer.tenants or (tenant is not None and tenant in layer.tenants)
    ]


@cache
def read_layer(name: str) -> tuple[bytes, str]:
    """The GeoJSON of a layer and a hash for its ETag; KeyError when there is no such layer."""
    layer = _catalogue()[name]
    body = (_HERE / f"{layer.name}.geojson").read_bytes()
    return body, hashlib.sha256(body).hexdigest()[:16]
