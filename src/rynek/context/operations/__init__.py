"""The verbs of the live picture: the one way in. Each is a pure step of a write transaction."""

from rynek.context.operations.attributes import (
    UpdateResult,
    append,
    delete_attribute,
    delete_scope,
    merge,
    partial_update,
    reduce,
    replace_attribute,
    update,
)
from rynek.context.operations.batch import (
    BatchResult,
    Item,
    Patch,
    Unread,
    create_all,
    delete_all,
    entity_error,
    fragment_entity,
    merge_all,
    update_all,
    upsert_all,
)
from rynek.context.operations.entities import create, delete, replace
from rynek.context.operations.expiry import expire
from rynek.context.operations.ingest import IngestReport, ingest

__all__ = [
    "BatchResult",
    "IngestReport",
    "Item",
    "Patch",
    "Unread",
    "UpdateResult",
    "append",
    "create",
    "create_all",
    "delete",
    "delete_all",
    "delete_attribute",
    "delete_scope",
    "entity_error",
    "expire",
    "fragment_entity",
    "ingest",
    "merge",
    "merge_all",
    "partial_update",
    "reduce",
    "replace",
    "replace_attribute",
    "update",
    "update_all",
    "upsert_all",
]
