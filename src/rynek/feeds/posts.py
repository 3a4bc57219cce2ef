"""Bodies that were posted at about the same time, dealt with side by side."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable

__all__ = ["Abreast"]

_Post = asyncio.Task[None]


class Abreast:
    """Posts that share a commit. Those about the same entities are written one after another, as
    they came: else the earlier one could be the last to be written."""

    def __init__(self) -> None:
        self._posts: list[_Post] = []
        self._last: dict[str, _Post] = {}
        self._long: _Post | None = None

    def begin(self, work: Coroutine[None, None, None]) -> None:
        """Deal with one more post; they get as far as `turn` in this order."""
        self._posts.append(asyncio.create_task(work))

    async def turn(self, entities: Iterable[str], *, more: bool) -> None:
        """Wait, in a post, until earlier posts about these entities are written.

        One of which `more` follows may name any entity later: it waits for all earlier posts, and
        all later ones wait for it.
        """
        me = asyncio.current_task()
        assert me is not None
        if me is self._long:
            return
        earlier = {self._last.get(entity) for entity in entities}
        earlier.add(self._long)
        for entity in entities:
            self._last[entity] = me
        if more:
            earlier.update(self._posts[: self._posts.index(me)])
            self._long = me
        earlier -= {None, me}
        waiting = [post for post in earlier if post is not None and not post.done()]
        if waiting:
            await asyncio.wait(waiting)

    async def finished(self) -> None:
        """Wait for all of them."""
        await asyncio.gather(*self._posts)
        self._posts.clear()
        self._last.clear()
        self._long = None
