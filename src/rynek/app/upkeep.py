"""What is computed again by itself, now and then: the values that cities are compared by, and the
answers of cards whose histories have grown."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

import msgspec

from rynek.app.child import run_command
from rynek.app.city_values import keep_city_values
from rynek.base.clock import MICRO
from rynek.base.errors import Unavailable
from rynek.base.trouble import Trouble
from rynek.base.typed import decode
from rynek.practices.cards import FILE, LAST_RUN, Run, asks_again, ended

if TYPE_CHECKING:
    from rynek.app.engine import Engine

__all__ = ["Upkeep"]

_logger = logging.getLogger(__name__)
_FIRST_S: Final = 60.0
_LOOK_S: Final = 600.0
_SOON_S: Final = 20.0
"""Where a city is still loading its past."""
_LONGEST_S: Final = 600.0
_PAGE: Final = 200
_NICE: Final = 15


class Upkeep:
    """A job of the service that runs once in `practices.recompute_hours`, looks every ten minutes
    whether it is due, and outlives a restart by what is noted beside the cards.

    Cities are measured and estimates computed in processes of their own, one after the other, with
    little priority and for ten minutes at most: a heavy one slows no request and can be ended.
    """

    def __init__(self, engine: Engine, *, longest: float = _LONGEST_S) -> None:
        self._engine = engine
        self._longest = longest
        self._later = 0
        self._seq = 0
        self._asking: dict[str, None] = {}
        self._trouble = Trouble("computing estimates and the values of cities again", _logger)

    async def run(self) -> None:
        """Go on until cancelled; what fails is tried again."""
        await asyncio.sleep(_FIRST_S)
        while True:
            try:
                await self.work()
                self._trouble.over()
            except Exception as error:
                self._trouble.note(error)
            await asyncio.sleep(_SOON_S if self._later else _LOOK_S)

    async def work(self) -> None:
        """Do what is due."""
        engine = self._engine
        hours = engine.settings.practices.recompute_hours
        # City by city: one that cannot be measured has the others measured no more often.
        before = engine.clock.now() - int(hours * 3600) * MICRO
        self._later = await keep_city_values(engine, before=before)
        if (engine.folder.path / FILE).exists():
            told = await asyncio.to_thread(engine.cards.note, LAST_RUN)
            finished = decode(told, Run).finished if told else None
            if self._due(finished):
                await self.answer()

    async def answer(self) -> Run:
        """Compute the answers of all cards that ask again; what was done is noted as it goes."""
        cards, clock = self._engine.cards, self._engine.clock
        ids = await asyncio.to_thread(self._asked)
        run = Run(started=clock.now(), total=len(ids))
        for card_id in ids:
            await asyncio.to_thread(cards.set_note, LAST_RUN, msgspec.json.encode(run).decode())
            await self._compute(card_id)
            outcomes = [one.outcome for one in cards.attempts.all(card_id).values()]
            run = msgspec.structs.replace(
                run,
                done=run.done + 1,
                new=run.new + outcomes.count("new"),
                failed=run.failed + outcomes.count("failed"),
            )
        run = msgspec.structs.replace(run, finished=clock.now())
        await asyncio.to_thread(cards.set_note, LAST_RUN, msgspec.json.encode(run).decode())
        return run

    def _due(self, at: int | None) -> bool:
        hours = self._engine.settings.practices.recompute_hours
        return at is None or self._engine.clock.now() - at >= hours * 3600 * MICRO

    def _asked(self) -> list[str]:
        """Cards with a question that is answered again; each card is looked at when it changed."""
        cards = self._engine.cards
        recorded = bool(self._engine.settings.practices.recorded)
        while changes := cards.changes(self._seq, _PAGE):
            for change in changes:
                self._asking.pop(change.id, None)
                stored = cards.find(change.id)
                if stored is not None and asks_again(stored, recorded=recorded):
                    self._asking[change.id] = None
            self._seq = changes[-1].seq
        return list(self._asking)

    async def _compute(self, card_id: str) -> None:
        settings = self._engine.settings
        more = [settings.practices.recorded] if settings.practices.recorded else []
        command = ("practice", "answer", card_id, *more)
        folder = self._engine.folder.path
        try:
            done = await run_command(folder, *command, nice=_NICE, longest=self._longest)
        except TimeoutError:
            await self._note(card_id, ended(round(self._longest / 60)))
            return
        # 1 says that a question was refused, which is noted with its reason.
        if done.code not in (0, 1) or "Traceback" in done.told:
            _logger.error("answering %s: %s", card_id, done.told[-2000:])
            await self._note(card_id, ended())

    async def _note(self, card_id: str, why: Unavailable) -> None:
        """Note for all questions of a card that their computation was ended."""
        cards = self._engine.cards
        stored = await asyncio.to_thread(cards.find, card_id)
        for question in stored.card.questions if stored else []:
            await asyncio.to_thread(cards.attempts.note, card_id, question.key, "failed", why)
