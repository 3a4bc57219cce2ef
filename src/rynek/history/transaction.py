"""What a commit of the table says: which files come, which go."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from .files import Part, day_text, statistics
from .schema import PARTITION


def actions(new: Sequence[Part], old: Sequence[Part], *, data_change: bool) -> list[Any]:
    """What a commit says that puts `new` in the place of `old`."""
    from deltalake.transaction import AddAction, RemoveAction

    now = int(datetime.now(UTC).timestamp() * 1000)
    actions: list[Any] = [
        AddAction(
            part.path,
            part.size,
            {PARTITION: day_text(part.day)},
            now,
            data_change,
            statistics(part),
        )
        for part in new
    ]
    actions += [
        RemoveAction(
            path=part.path,
            data_change=data_change,
            partition_values={PARTITION: day_text(part.day)},
            size=part.size,
            deletion_timestamp=now,
        )
        for part in old
    ]
    return actions


def no_hooks() -> Any:
    """A checkpoint that fails would make a commit look as if it had failed."""
    from deltalake import PostCommitHookProperties

    return PostCommitHookProperties(create_checkpoint=False, cleanup_expired_logs=False)
