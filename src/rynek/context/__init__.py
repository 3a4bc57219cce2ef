"""The live picture: NGSI-LD entities, contexts, queries, operations and the change log."""

from rynek.context.changes import Change, ChangeLog
from rynek.context.jsonld import CompiledContext, core_context, link_header, parse_link_header
from rynek.context.model import (
    DEFAULT_VOCAB,
    LOCATION,
    NGSI_LD,
    NULL,
    VALUE_MEMBER,
    Entity,
    Instance,
)
from rynek.context.reference import ReferenceStore
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
    "Entity",
    "Instance",
    "ReadingsSink",
    "ReferenceStore",
    "TemporalEntity",
    "TemporalInstance",
    "TemporalQuery",
    "TemporalStore",
    "TimeProperty",
    "Written",
    "core_context",
    "link_header",
    "parse_link_header",
]
