"""The live picture: NGSI-LD entities, contexts, queries, operations and the change log."""

from rynek.context import discovery, operations
from rynek.context.changes import Change, ChangeLog
from rynek.context.contexts import ContextCache, ContextResolver
from rynek.context.formats import (
    View,
    body_with_context,
    decode,
    encode_body,
    join_bodies,
    parse_attribute,
    parse_entity,
    parse_fragment,
    parse_partial,
    render_attribute,
    render_collection,
    render_entity,
    render_feature,
)
from rynek.context.jsonld import CompiledContext, core_context, link_header, parse_link_header
from rynek.context.live import Context, open_context
from rynek.context.model import (
    DEFAULT_VOCAB,
    LOCATION,
    NGSI_LD,
    NULL,
    VALUE_MEMBER,
    Entity,
    Instance,
)
from rynek.context.query import (
    Query,
    parse_attrs,
    parse_geo,
    parse_projection,
    parse_q,
    parse_scope,
    parse_types,
)
from rynek.context.reference import ReferenceStore
from rynek.context.store.contract import Page, Row, Store, Txn, TypeSummary
from rynek.context.store.sqlite import RemoteContexts, StoreLimits
from rynek.context.temporal import (
    ReadingsSink,
    TemporalEntity,
    TemporalInstance,
    TemporalQuery,
    TemporalStore,
    TimeProperty,
    Written,
)

__all__ = [
    "DEFAULT_VOCAB",
    "LOCATION",
    "NGSI_LD",
    "NULL",
    "VALUE_MEMBER",
    "Change",
    "ChangeLog",
    "CompiledContext",
    "Context",
    "ContextCache",
    "ContextResolver",
    "Entity",
    "Instance",
    "Page",
    "Query",
    "ReadingsSink",
    "ReferenceStore",
    "RemoteContexts",
    "Row",
    "Store",
    "StoreLimits",
    "TemporalEntity",
    "TemporalInstance",
    "TemporalQuery",
    "TemporalStore",
    "TimeProperty",
    "Txn",
    "TypeSummary",
    "View",
    "Written",
    "body_with_context",
    "core_context",
    "decode",
    "discovery",
    "encode_body",
    "join_bodies",
    "link_header",
    "open_context",
    "operations",
    "parse_attribute",
    "parse_attrs",
    "parse_entity",
    "parse_fragment",
    "parse_geo",
    "parse_link_header",
    "parse_partial",
    "parse_projection",
    "parse_q",
    "parse_scope",
    "parse_types",
    "render_attribute",
    "render_collection",
    "render_entity",
    "render_feature",
]
