"""Snapshots: results of queries frozen in a hidden store of their own (CIM 009 §4.3.7, §5.5.15).

A snapshot is a document in its tenant's store, and a folder `snapshots/<key>` beside it that holds
its entities and their history like a tenant's own; `Snapshots` opens it when a request names it
and closes it when nobody has for a while.
"""

from rynek.context.snapshots.document import (
    Detail,
    Snapshot,
    changed_snapshot,
    failed,
    new_snapshot,
    render_snapshot,
    snapshot_test,
    status_of,
)
from rynek.context.snapshots.keeper import SnapshotLimits, Snapshots
from rynek.context.snapshots.notices import SnapshotNotices
from rynek.context.snapshots.rooms import Scope

__all__ = [
    "Detail",
    "Scope",
    "Snapshot",
    "SnapshotLimits",
    "SnapshotNotices",
    "Snapshots",
    "changed_snapshot",
    "failed",
    "new_snapshot",
    "render_snapshot",
    "snapshot_test",
    "status_of",
]
