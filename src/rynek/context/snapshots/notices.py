"""SnapshotNotification (CIM 009 §5.3.4, §5.16.6), through the tenant's outbox."""

from __future__ import annotations

from typing import Any, Final
from uuid import uuid4

import msgspec

from rynek.base.clock import to_iso
from rynek.context.jsonld.compiled import CORE_URL
from rynek.context.snapshots.document import Snapshot
from rynek.context.store.contract import Txn
from rynek.context.subscriptions.deliveries import Deliveries, forget
from rynek.context.subscriptions.senders import Receiver, pack_head

_PREFIX: Final = "snapshot:"
_HEAD: Final = pack_head("application/json", CORE_URL)


class SnapshotNotices:
    """Tells endpoints what becomes of their snapshots; `via` names this service."""

    def __init__(self, deliveries: Deliveries, via: str) -> None:
        self._deliveries = deliveries
        self._via = via

    def follow(self, one: Snapshot) -> None:
        """Deliver to the endpoint that a snapshot has now; at start, and after each change."""
        target = one.target()
        if target is not None:
            receiver = Receiver(target, one.tenant, self._via, one.id)
            self._deliveries.open(_PREFIX + one.id, receiver, active=True)

    def tell(self, txn: Txn, one: Snapshot, now: int) -> None:
        """Put the snapshot's status into the outbox, in this job's commit."""
        if one.endpoint is None:
            return
        body = msgspec.json.encode(_notification(one, now))
        txn.send(_PREFIX + one.id, b"", _HEAD, lambda _: body)

    def forget(self, txn: Txn, snapshot_id: str) -> None:
        """Drop what waits for an endpoint."""
        forget(txn, _PREFIX + snapshot_id)

    async def close(self, snapshot_id: str) -> None:
        """Deliver no more."""
        await self._deliveries.close_line(_PREFIX + snapshot_id)


def _notification(one: Snapshot, now: int) -> dict[str, Any]:
    told: dict[str, Any] = {
        "id": f"urn:ngsi-ld:SnapshotNotification:{uuid4()}",
        "type": "SnapshotNotification",
        "expiresAt": to_iso(one.expires_at),
        "notifiedAt": to_iso(now),
        "snapshotId": one.id,
        "snapshotPriority": one.priority,
        "snapshotStatus": one.status,
    }
    if one.details:
        told["snapshotQueriesDetails"] = [detail.document() for detail in one.details]
    if one.temporal_details:
        told["temporalSnapshotQueriesDetails"] = [d.document() for d in one.temporal_details]
    return told
