"""Long work that people wait for: what it is, how far it is."""

from __future__ import annotations

import msgspec


class Loading(msgspec.Struct):
    """Something that is being loaded: `title` by language, `done` of `total` records.

    `error` says why it ended early; what was stored by then stays and is not stored again.
    """

    title: dict[str, str]
    total: int
    done: int = 0
    finished: bool = False
    error: str = ""
