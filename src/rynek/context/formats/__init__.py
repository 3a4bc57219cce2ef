"""NGSI-LD documents ↔ the information model, and the codec of the store (CIM 009 §4.5).

Reading accepts normalized, concise and simplified documents alike; writing renders any of them,
or GeoJSON. The store keeps exactly the normalized bytes that a client with the same @context gets.
"""

from rynek.context.formats.codec import (
    body_with_context,
    decode,
    encode_body,
    encode_times,
    expiries,
    join_bodies,
)
from rynek.context.formats.expanded import single_node
from rynek.context.formats.geojson import render_collection, render_feature
from rynek.context.formats.instances import Reader, Stored
from rynek.context.formats.linked import Inliner
from rynek.context.formats.members import GEO_ATTRIBUTES
from rynek.context.formats.older import Version, as_of, attribute_as_of, parse_version
from rynek.context.formats.parse import (
    MAX_DEPTH,
    Fragment,
    is_null,
    parse_attribute,
    parse_entity,
    parse_fragment,
    parse_moment,
    parse_partial,
)
from rynek.context.formats.peek import peek, peek_attributes, peek_point
from rynek.context.formats.render import View, render_attribute, render_entity
from rynek.context.formats.sheet import PLAIN, Sheet, Times, open_sheet, packed, packed_instance
from rynek.context.formats.short import short_members
from rynek.context.formats.temporal import (
    SERIES_MEMBER,
    TemporalFragment,
    parse_temporal,
    parse_temporal_instance,
)
from rynek.context.formats.values import Invalid, null_inside

__all__ = [
    "GEO_ATTRIBUTES",
    "MAX_DEPTH",
    "PLAIN",
    "SERIES_MEMBER",
    "Fragment",
    "Inliner",
    "Invalid",
    "Reader",
    "Sheet",
    "Stored",
    "TemporalFragment",
    "Times",
    "Version",
    "View",
    "as_of",
    "attribute_as_of",
    "body_with_context",
    "decode",
    "encode_body",
    "encode_times",
    "expiries",
    "is_null",
    "join_bodies",
    "null_inside",
    "open_sheet",
    "packed",
    "packed_instance",
    "parse_attribute",
    "parse_entity",
    "parse_fragment",
    "parse_moment",
    "parse_partial",
    "parse_temporal",
    "parse_temporal_instance",
    "parse_version",
    "peek",
    "peek_attributes",
    "peek_point",
    "render_attribute",
    "render_collection",
    "render_entity",
    "render_feature",
    "short_members",
    "single_node",
]
