"""What several connectors share: documents, times, numbers, positions, bytes."""

from rynek.feeds.kit.content import gunzip, inflate, is_zip, tar_members, text, zip_members
from rynek.feeds.kit.documents import (
    document,
    geo,
    language,
    moment,
    point,
    prop,
    provenance,
    rel,
    urn,
)
from rynek.feeds.kit.times import (
    epoch_to_micros,
    is_stale,
    local_day,
    local_to_micros,
    service_midnight,
    to_micros,
    zone_of,
)
from rynek.feeds.kit.values import Bounds, distance_m, number, place_problem

__all__ = [
    "Bounds",
    "distance_m",
    "document",
    "epoch_to_micros",
    "geo",
    "gunzip",
    "inflate",
    "is_stale",
    "is_zip",
    "language",
    "local_day",
    "local_to_micros",
    "moment",
    "number",
    "place_problem",
    "point",
    "prop",
    "provenance",
    "rel",
    "service_midnight",
    "tar_members",
    "text",
    "to_micros",
    "urn",
    "zip_members",
    "zone_of",
]
