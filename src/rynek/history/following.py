"""What a follower may do, and how it does."""

from __future__ import annotations

import msgspec

from rynek.base.errors import Unavailable


class FollowerSettings(msgspec.Struct, kw_only=True):
    """When the tail goes to the table: after `flush_seconds` or at `flush_rows` rows.

    Above `max_rows` (the table cannot be written) nothing more is read from the log, and
    questions fail instead of answering with less than what was acknowledged. `recent_rows` stay in
    memory after they were written.
    """

    flush_seconds: float = 15.0
    flush_rows: int = 50_000
    runs_seconds: float = 60.0
    max_rows: int = 1_000_000
    recent_rows: int = 100_000


class NoRoom(Unavailable):
    """So many rows wait to be written that no more are read."""


class FollowerState(msgspec.Struct, frozen=True):
    """How the log gets into the table.

    `unread` changes were not read yet, `pending` rows are not on disk yet, the oldest for
    `behind_seconds`. `error` says why the table cannot be written or opened (empty: it can), for
    `failing_seconds`; `upkeep_error` why merging files or retention fails, which holds nothing up.
    `set_aside` readings can never be written and stand in a file beside the table; `lost` changes
    left the log before they were read; `damaged` files of the table cannot be read. Since the start
    `flushes` wrote `flushed_rows`, the last one in `last_flush_seconds`, and
    writing or opening the table failed `failures` times.
    """

    is_open: bool
    unread: int
    pending: int
    behind_seconds: float
    error: str
    failing_seconds: float
    upkeep_error: str
    upkeep_failing_seconds: float
    set_aside: int
    lost: int
    damaged: tuple[str, ...] = ()
    flushes: int = 0
    flushed_rows: int = 0
    last_flush_seconds: float = 0.0
    failures: int = 0
