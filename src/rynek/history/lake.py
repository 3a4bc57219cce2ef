"""One Delta table of readings per tenant: durable commits, cheap snapshots, upkeep.

One process writes it (a lock on the data folder sees to that); any Delta reader may read it.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from rynek.base.errors import Damaged, Unavailable
from rynek.base.storage import shown

from . import commits
from .files import (
    Part,
    by_day,
    discard,
    fsync_folder,
    in_order,
    to_parts,
    write_part,
)
from .schema import ADDED, FORMAT, PARTITION, arrow_schema
from .transaction import actions, no_hooks

if TYPE_CHECKING:
    import pyarrow as pa

log = logging.getLogger(__name__)

FOLLOWER = "follower"
REPAIR = "stop the service and run rynek history repair, or restore a backup"
_TAKEN = 1 << 61
OVERLAY = "overlay"
"""The application transaction that says which added readings of the overlay the table holds."""


class Snapshot(msgspec.Struct, frozen=True):
    """One state of the table: its version, the log's seq and the overlay's number up to which it
    holds readings, and its files by day.

    `epoch` changes with every commit that is not the log's: recordings, corrections, retention.
    `plain` says that no reading has a dataset id.
    """

    version: int
    seq: int
    days: Mapping[int, tuple[Part, ...]]
    merged: int = 0
    epoch: int = 0
    plain: bool = False

    def parts(self) -> list[Part]:
        """Every file, oldest day first."""
        return [part for day in sorted(self.days) for part in self.days[day]]

    def select(
        self,
        entity_ids: Sequence[str] | None = None,
        start: int | None = None,
        end: int | None = None,
    ) -> list[Part]:
        """The files that may hold rows of these entities with start <= time < end."""
        low, high = (min(entity_ids), max(entity_ids)) if entity_ids else ("", None)
        return [
            part
            for part in self.parts()
            if (start is None or part.max_time >= start)
            and (end is None or part.min_time < end)
            and (high is None or (part.min_entity <= high and part.max_entity >= low))
        ]


class Lake:
    """The table in `folder`; every method blocks, so call it from a worker thread."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.RLock()
        self._table: Any = None
        self._snapshot = Snapshot(-1, 0, {})
        self._synced = -1
        self._doubtful = False
        # Whether a commit may be on disk that the snapshot does not show.
        self._in_doubt = False
        self._checkpoint = -1
        self.aside = folder.with_name("set-aside")

    @property
    def snapshot(self) -> Snapshot:
        """The newest committed state; a value that later commits do not change."""
        return self._snapshot

    def open(self) -> Snapshot:
        """Open the table, creating it when there is none; imports deltalake (slow).

        What a power cut tore is put aside first: it was never acknowledged.
        """
        from deltalake import DeltaTable

        with self._lock:
            if self._table is not None:
                return self._snapshot
            for told in commits.mend(self.folder, self.aside):
                log.error("history: %s: %s", self.folder, told)
            found = commits.fault(self.folder)
            if found is not None:
                raise Damaged(f"{shown(found[0])}: {found[1]}; {REPAIR}")
            if DeltaTable.is_deltatable(str(self.folder)):
                table = DeltaTable(self.folder)
                self._synced = table.version()
            else:
                table = self._create()
            self._checkpoint = commits.last_checkpoint(self.folder)
            self._take_over(table)
            return self._snapshot

    def _take_over(self, table: Any, epoch: int = 0) -> None:
        """Be what the table on disk is; all of it or, where reading it fails, nothing."""
        days = grouped(to_parts(table.get_add_actions(flatten=True)))
        seq, merged = _mark_of(table, FOLLOWER), _mark_of(table, OVERLAY)
        self._table = table
        self._publish(days, seq, merged, epoch)
        self._in_doubt = False

    def _create(self) -> Any:
        import pyarrow as pa
        from deltalake import DeltaTable

        self.folder.mkdir(parents=True, exist_ok=True)
        table = DeltaTable.create(
            self.folder,
            schema=arrow_schema().append(pa.field(PARTITION, pa.date32())),
            partition_by=[PARTITION],
            name=f"readings/{FORMAT}",
            description="Every reading of a tenant's entities (NGSI-LD attribute instances)",
            configuration={
                "delta.checkpointInterval": "50",
                "delta.logRetentionDuration": "interval 2 days",
                "delta.deletedFileRetentionDuration": "interval 1 days",
            },
        )
        commits.sync(self.folder, 0, 0, again=False)
        fsync_folder(self.folder.parent)
        self._synced = 0
        return table

    def seq(self, app: str) -> int:
        """The version of an application transaction of the table; 0 when it has none."""
        with self._lock:
            self.renew()
            return _mark_of(self._opened(), app)

    def _opened(self) -> Any:
        if self._table is None:
            raise Unavailable("The history is not open yet")
        return self._table

    def append(
        self, rows: pa.Table, transactions: Mapping[str, int], *, is_sorted: bool = False
    ) -> Snapshot:
        """Store rows and the transactions' versions in one commit, durable on return."""
        with self._lock:
            days = by_day(rows, is_sorted=is_sorted)
            return self._store(days, (), transactions, data_change=True)

    def take(self, rows: pa.Table) -> None:
        """Store rows of another table. Those that clients added there get numbers that nothing here
        will have."""
        import pyarrow as pa
        import pyarrow.compute as pc

        if not len(rows):
            return
        seq = rows.column("seq")
        own = pc.subtract(pa.scalar(ADDED - _TAKEN), seq)
        seq = pc.if_else(pc.greater(seq, ADDED), own, seq)
        index = rows.schema.get_field_index("seq")
        table = rows.set_column(index, "seq", seq)
        schema = arrow_schema()
        self.append(in_order(table.select(schema.names).cast(schema)), {})

    def mark(self, seq: int) -> Snapshot:
        """Set the follower's cursor without touching rows: changes without readings, or back,
        under a restored, older log.
        """
        with self._lock:
            return self._commit((), (), {FOLLOWER: seq}, data_change=False)

    def rewrite(self, day: int, old: Sequence[Part]) -> Snapshot:
        """Replace some files of one day by one sorted file with the same rows."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        with self._lock:
            schema = arrow_schema()
            # Held by nobody else, so that what is read goes once it is in order.
            rows = in_order(
                pa.concat_tables(
                    pq.read_table(self.folder / part.path, partitioning=None).cast(schema)
                    for part in old
                )
            )
            return self._store([(day, rows)], old, {}, data_change=False)

    def replace(self, old: Sequence[Part], kept: pa.Table, moved: pa.Table) -> Snapshot:
        """Put `kept` (of one day, in order) and `moved` (of any day) in the place of files."""
        with self._lock:
            days = [(old[0].day, kept)] if len(kept) else []
            return self._store([*days, *by_day(moved)], old, {}, data_change=True)

    def drop(self, old: Sequence[Part]) -> Snapshot:
        """Take files out of the table (retention); the bytes go with the next vacuum."""
        with self._lock:
            return self._commit([], old, {}, data_change=True)

    def _store(
        self,
        days: Iterable[tuple[int, pa.Table]],
        old: Sequence[Part],
        transactions: Mapping[str, int],
        *,
        data_change: bool,
    ) -> Snapshot:
        """Write files and put them in the place of others; of what fails no file is left, unless
        the commit that names them may be on disk (else the next vacuum takes them)."""
        self._certain()
        new: list[Part] = []
        try:
            new.extend(write_part(self.folder, day, rows) for day, rows in days)
            return self._commit(new, old, transactions, data_change=data_change)
        except BaseException:
            if not self._in_doubt:
                held = {part.path for part in self._snapshot.parts()}
                discard(self.folder, [part for part in new if part.path not in held])
            raise

    def _commit(
        self,
        new: Sequence[Part],
        old: Sequence[Part],
        transactions: Mapping[str, int],
        *,
        data_change: bool,
    ) -> Snapshot:
        from deltalake import CommitProperties, Transaction

        self._certain()
        table, held = self._opened(), self._snapshot
        epoch = held.epoch + (data_change and FOLLOWER not in transactions)
        self._in_doubt = True
        try:
            table.create_write_transaction(
                actions(new, old, data_change=data_change),
                mode="append",
                schema=table.schema(),
                partition_by=[PARTITION],
                commit_properties=CommitProperties(
                    app_transactions=[Transaction(app, seq) for app, seq in transactions.items()]
                ),
                post_commithook_properties=no_hooks(),
            )
            table.update_incremental()
        except Exception:
            # Only the disk knows whether the commit is there; who tries again must know it too.
            self._reopen(epoch)
            if self._snapshot.version == held.version or not self._has(new, old, transactions):
                raise
        else:
            self._publish(
                self._days_after(new, old),
                transactions.get(FOLLOWER, held.seq),
                transactions.get(OVERLAY, held.merged),
                epoch,
            )
            self._in_doubt = False
        self.settle()
        return self._snapshot

    def _reopen(self, epoch: int) -> None:
        from deltalake import DeltaTable

        commits.drop_drafts(self.folder)
        self._take_over(DeltaTable(self.folder), epoch)

    def renew(self) -> Snapshot:
        """Read what the table is, where a commit failed and so did reading the table after it."""
        with self._lock:
            if self._in_doubt:
                self._reopen(self._snapshot.epoch + 1)
            return self._snapshot

    def _certain(self) -> None:
        """Unavailable when the table turns out to hold more than who is about to write knew."""
        version = self._snapshot.version
        if self.renew().version != version:
            raise Unavailable(
                "a commit that seemed to have failed is there: look again, then write"
            )

    def _has(
        self, new: Sequence[Part], old: Sequence[Part], transactions: Mapping[str, int]
    ) -> bool:
        paths = {part.path for part in self._snapshot.parts()}
        return (
            paths.issuperset(part.path for part in new)
            and paths.isdisjoint(part.path for part in old)
            and all(_mark_of(self._table, app) == seq for app, seq in transactions.items())
        )

    def settle(self) -> None:
        """Return once every commit is on disk for certain; the log may be trimmed only then."""
        with self._lock:
            version = self._opened().version()
            if version <= self._synced:
                return
            try:
                commits.sync(self.folder, self._synced + 1, version, again=self._doubtful)
            except OSError:
                self._doubtful = True
                raise
            self._synced, self._doubtful = version, False

    def checkpoint(self) -> None:
        """Sum the log up after every fifty commits, and let go of commits older than that by two
        days."""
        with self._lock:
            self.renew()
            table = self._opened()
            version = table.version()
            if version - self._checkpoint < commits.EVERY:
                return
            try:
                table.create_checkpoint()
                commits.sync_checkpoint(self.folder, version)
            finally:
                commits.drop_drafts(self.folder)
            self._checkpoint = version
            table.cleanup_metadata()

    def _days_after(self, new: Sequence[Part], old: Sequence[Part]) -> dict[int, tuple[Part, ...]]:
        """The files of each day once `old` are replaced by `new`."""
        days = dict(self._snapshot.days)
        gone = {part.path for part in old}
        for day in {part.day for part in old}:
            days[day] = tuple(part for part in days[day] if part.path not in gone)
        for part in new:
            days[part.day] = (*days.get(part.day, ()), part)
        return {day: parts for day, parts in days.items() if parts}

    def _publish(
        self, days: Mapping[int, tuple[Part, ...]], seq: int, merged: int, epoch: int = 0
    ) -> None:
        plain = all(part.plain for parts in days.values() for part in parts)
        self._snapshot = Snapshot(self._opened().version(), seq, days, merged, epoch, plain)

    def vacuum(self, hours: int = 24) -> int:
        """Delete the bytes of files that left the table more than `hours` ago; how many."""
        with self._lock:
            self.renew()
            gone = self._opened().vacuum(
                retention_hours=hours,
                dry_run=False,
                enforce_retention_duration=False,
                post_commithook_properties=no_hooks(),
            )
            self._table.update_incremental()
            self.settle()
            held = self._snapshot
            self._publish(held.days, held.seq, held.merged, held.epoch)
            return len(gone)


def _mark_of(table: Any, app: str) -> int:
    """The version of an application transaction of a table; 0 when it has none."""
    return int(table.transaction_version(app) or 0)


def grouped(parts: Iterable[Part]) -> dict[int, tuple[Part, ...]]:
    days: dict[int, tuple[Part, ...]] = {}
    for part in parts:
        days[part.day] = (*days.get(part.day, ()), part)
    return days
