"""A city's public practice cards, and their answers, as entities of its own live picture."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from rynek.base.errors import ResourceNotFound
from rynek.base.trouble import Trouble
from rynek.context import parse_entity
from rynek.context.operations import create, delete, replace
from rynek.practices.cards import FILE, Change, entities, entity_ids

if TYPE_CHECKING:
    from rynek.app.engine import Engine
    from rynek.app.tenant import Tenant

__all__ = ["CardEntities"]

_logger = logging.getLogger(__name__)
_EVERY: Final = 2.0
_SOURCE: Final = "practices"
# Followed from the beginning once more since the past of hidden cards is taken away.
_CARDS: Final = "entities: cards, 2"
_ANSWERS: Final = "entities: answers"
_SOME: Final = 50


class CardEntities:
    """Follows the cards with cursors of its own, kept beside them, whoever writes them.

    Only cards that everybody sees and that show their city become entities, in the tenant that owns
    them: in it a card without a name would be named. Cards that nobody owns do not. Of a card that
    is there no more for everybody, or without its city's name, the past goes as well: it would go on
    saying what is hidden now.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._trouble = Trouble("practice cards as entities", _logger)

    async def run(self) -> None:
        """Go on until cancelled; what fails is tried again."""
        while True:
            await asyncio.sleep(_EVERY)
            try:
                await self.follow()
                self._trouble.over()
            except Exception as error:
                self._trouble.note(error)

    async def follow(self) -> None:
        """Bring the entities to where the cards are. Without a file of cards nothing is made."""
        if not (self._engine.folder.path / FILE).exists():
            return
        cards = self._engine.cards
        cursor = int(cards.note(_CARDS) or 0)
        while cards.last_seq() > cursor:
            for change in await asyncio.to_thread(cards.changes, cursor, _SOME):
                await self._bring(change)
                cursor = change.seq
            cards.set_note(_CARDS, str(cursor))
        await self._answers()

    async def _answers(self) -> None:
        cards = self._engine.cards
        since = int(cards.note(_ANSWERS) or 0)
        found = await asyncio.to_thread(cards.answers.since, since, _SOME)
        for at, card_id in found:
            stored = cards.find(card_id)
            if stored is not None:
                seen = None if stored.written.removed else stored.published()
                await self._bring(Change(stored.seq, card_id, stored.owner, stored.door, seen))
            since = at
        if found:
            cards.set_note(_ANSWERS, str(since))

    async def _bring(self, change: Change) -> None:
        """Write a card's entities, or delete those that are there."""
        if change.owner not in self._engine.tenants:
            return
        tenant = self._engine.tenant(change.owner)
        cards = self._engine.cards
        wanted: list[dict[str, Any]] = []
        if change.door == "public" and change.seen is not None and change.seen.owner:
            answers = await asyncio.to_thread(cards.answered, change.seen)
            wanted = entities(change.seen, answers, context=False)
        ctx = await tenant.context.default_ld()
        parsed = {each["id"]: parse_entity(each, ctx, now=0, lenient=True) for each in wanted}
        known = entity_ids(change.id, list(cards.answers.all(change.id)))

        def job(txn: Any) -> None:
            for entity_id in known:
                if entity_id not in parsed and txn.get(entity_id) is not None:
                    delete(txn, entity_id, _SOURCE)
            for entity_id, entity in parsed.items():
                there = txn.get(entity_id) is not None
                (replace if there else create)(txn, entity, ctx, _SOURCE)

        await tenant.context.write(job)
        if change.seen is not None and not wanted:
            for entity_id in known:
                await self._forget(tenant, entity_id)

    async def _forget(self, tenant: Tenant, entity_id: str) -> None:
        """Take away the past of an entity, what was deleted just now included."""
        with suppress(ResourceNotFound):
            await tenant.history.edit.delete(entity_id, None, now=tenant.clock.now())
