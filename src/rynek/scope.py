"""The rooms of a snapshot: a store and a history of its own, inside its tenant (CIM 009 §5.5.15)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rynek.base.clock import Clock
from rynek.base.errors import OperationNotSupported
from rynek.base.settings import Settings
from rynek.context import (
    Context,
    MapLimits,
    StoreLimits,
    Subscriptions,
    open_inside,
    open_subscriptions,
)
from rynek.history import History, HistorySettings

# Of bodies, for reads: a tenant may have many snapshots, each of which few ask for long.
_REMEMBER_BYTES = 8 << 20


class SnapshotScope:
    """What the API needs of a tenant, over the folder of one of its snapshots. Operations here are
    local: no source is registered, and none can be."""

    def __init__(
        self,
        parent: Context,
        folder: Path,
        settings: Settings,
        history: HistorySettings,
        zone: str,
        snapshot_id: str,
        alias: str,
    ) -> None:
        limits = settings.limits
        self.name = snapshot_id
        self.alias = self.service_alias = alias
        self.context = open_inside(
            parent,
            folder,
            StoreLimits(
                settings.changes.keep_rows,
                settings.changes.keep_hours,
                limits.max_value_indexes,
                settings.context.max_contexts,
                _REMEMBER_BYTES,
            ),
            MapLimits(
                limits.max_entity_maps, limits.entity_map_seconds, limits.max_entity_map_seconds
            ),
        )
        self.subscriptions: Subscriptions = open_subscriptions(
            self.context, settings, alias, snapshot_id
        )
        self.history = History(folder / "history", self.context.changes, history, zone)
        self.registrations = NoSources()
        self.source_subscriptions = self.registrations

    @property
    def clock(self) -> Clock:
        """The tenant's."""
        return self.context.clock

    @property
    def busy(self) -> bool:
        """Whether someone waits for notifications of what happens in it."""
        return len(self.subscriptions) > 0

    async def start(self) -> None:
        """Follow its log and deliver its notifications."""
        await self.history.start()
        await self.subscriptions.start()

    async def stop(self) -> None:
        """Close everything."""
        await self.history.stop()
        await self.subscriptions.stop()
        await self.context.close()


class NoSources:
    """The registrations of a snapshot: none, and none can be made (§5.5.15)."""

    empty = True

    def __getattr__(self, name: str) -> Any:
        raise OperationNotSupported("a snapshot has no context sources")
