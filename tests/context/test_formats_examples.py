"""Every published example of the Smart Data Models in the data folder is read and comes back."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from tests.recorded import DATA, needed

from rynek.base.errors import BadRequestData, LdContextNotAvailable
from rynek.base.http import Guard
from rynek.context import Freshness
from rynek.context.contexts import ContextResolver
from rynek.context.formats import (
    View,
    decode,
    encode_body,
    encode_times,
    parse_entity,
    render_entity,
    render_feature,
)
from rynek.context.jsonld import CompiledContext
from rynek.context.model import Entity

from .caches import Memory

MODELS = DATA / "smart_data_models"
EXAMPLES = sorted(MODELS.glob("*/*/example*.jsonld"))

# The one example that breaks the standard: its @context array ends in "iudx:EVChargingStation",
# which is a type's name and no document.
INVALID = {"EVChargingStation/example.jsonld": "iudx:EVChargingStation: only http and https"}
# What two examples (KeyPerformanceIndicator) carry that only the broker may set.
IGNORED = {"@context", "modifiedAt"}


class LocalModels(Memory):
    """The published contexts, answered from the data folder instead of the network."""

    def get(self, url: str) -> bytes | None:
        if url == "https://smartdatamodels.org/context.jsonld":
            return _all_models()
        name = url.partition("dataModel.")[2].partition("/")[0]
        path = MODELS / name / "context.jsonld"
        return path.read_bytes() if name and path.exists() else None

    def put(self, url: str, body: bytes, fresh: Freshness) -> None:
        raise AssertionError(f"{url} would have been fetched")


def _all_models() -> bytes:
    merged: dict[str, Any] = {}
    for path in MODELS.glob("*/context.jsonld"):
        merged |= json.loads(path.read_text())["@context"]
    return json.dumps({"@context": merged}).encode()


def read(path: Path) -> tuple[Entity, CompiledContext]:
    document = json.loads(path.read_text())
    resolver = ContextResolver(LocalModels(), Guard())
    ctx = asyncio.run(resolver.resolve(document.get("@context")))
    return parse_entity(document, ctx, now=1, lenient=True), ctx


def test_all_examples_are_there() -> None:
    needed("smart_data_models")
    assert len(EXAMPLES) == 68


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: f"{p.parent.name}/{p.name}")
def test_example(path: Path) -> None:
    key = f"{path.parent.name}/{path.name}"
    if key in INVALID:
        with pytest.raises(LdContextNotAvailable, match=INVALID[key]):
            read(path)
        return
    entity, ctx = read(path)
    assert decode(encode_body(entity, ctx), encode_times(entity), ctx) == entity
    for form in ("normalized", "concise"):
        rendered = render_entity(entity, ctx, View(form))
        again = parse_entity(json.loads(json.dumps(rendered)), ctx, now=1, lenient=True)
        assert again == entity
    original = json.loads(path.read_text())
    assert render_entity(entity, ctx).keys() == original.keys() - IGNORED
    assert render_feature(entity, ctx)["type"] == "Feature"


# Normalized examples that the standard does not let pass (Table 5.2.4-1, §4.6.3), and why. Feeds and
# imported files may hold them all the same.
STRICT = {
    "DeviceMeasurement": "location: is a GeoProperty, not a Property",
    "AirQualityMonitoring": "location: is a GeoProperty, not a Property",
    "Vehicle": r"battery: observedAt is not a DateTime .*: '2021-03-11T15:51:02\+05:30'",
}


@pytest.mark.parametrize("path", [p for p in EXAMPLES if "normalized" in p.name],
                         ids=lambda p: p.parent.name)  # fmt: skip
def test_normalized_examples_keep_to_the_standard_but_for_three(path: Path) -> None:
    entity, ctx = read(path)
    document = json.loads(path.read_text())
    if path.parent.name in STRICT:
        with pytest.raises(BadRequestData, match=STRICT[path.parent.name]):
            parse_entity(document, ctx, now=1)
    else:
        assert parse_entity(document, ctx, now=1) == entity
