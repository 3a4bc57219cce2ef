"""The index of a data folder: a file beside the cards, made of them, brought up to date before it
answers.

It follows the cards by a durable cursor, kept in the transaction that indexes: a crash loses nothing
and indexes nothing twice. Where the file is lost, no database or of another format, it is made again.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime
from itertools import islice
from pathlib import Path
from typing import Any, Final

import msgspec

from rynek.base.database import Database
from rynek.base.errors import Problem, ResourceNotFound
from rynek.base.sqlite import Connection, database_fault
from rynek.practices.cards import EVERYBODY, Cards, Change, Seen, Viewer, spoken
from rynek.practices.search.costing import Priced, Rates, index_costs, priced
from rynek.practices.search.finding import MAX_LIMIT, Filters, Found, cost_units, find
from rynek.practices.search.glossary import glossary
from rynek.practices.search.index import (
    FORMAT,
    MIGRATIONS,
    Entry,
    clear,
    put,
    remove,
    set_state,
    state,
)
from rynek.practices.search.similar import Cities, unlike

__all__ = ["INDEX_FILE", "SearchIndex", "search_concepts"]

_logger = logging.getLogger(__name__)
INDEX_FILE: Final = "practices-search.db"
_BATCH: Final = 200
# So many cards are caught up with inside a question; more wait for the next ones, or for `rebuild`.
_AT_ONCE: Final = 1_000


class SearchIndex:
    """Full text over practice cards; safe from several threads, and beside other processes."""

    def __init__(self, path: Path, rates: Callable[[], Rates] = Rates) -> None:
        self._path = path
        self._rates = rates
        self._database = Database(path, MIGRATIONS)
        self._following = threading.Lock()
        self._ready = False

    def find(
        self,
        text: str,
        viewer: Viewer = EVERYBODY,
        filters: Filters | None = None,
        *,
        languages: Sequence[str] = (),
        offset: int = 0,
        limit: int = 20,
    ) -> Found:
        """The cards that `viewer` may see and `text` names, the best first; see `finding.find`."""
        self._prepare()
        with self._database.reading() as database:
            return find(
                database, text, viewer, filters, languages=languages, offset=offset, limit=limit
            )

    def ask(
        self,
        cards: Cards,
        text: str,
        viewer: Viewer,
        filters: Filters,
        *,
        languages: Sequence[str] = (),
        offset: int = 0,
        limit: int = 20,
        cities: Cities | None = None,
    ) -> tuple[Found, list[Seen]]:
        """Follow the cards, then `find`: with what was found, the cards as the viewer sees them.

        With `cities` the best hundred are put in order by how alike their cities are to the one
        that asks, and there are no more pages than theirs. Where nothing can be written the answer
        is that of the index as it is.
        """
        if cities is not None:
            best, known = self.ask(
                cards, text, viewer, filters, languages=languages, limit=MAX_LIMIT
            )
            pairs = sorted(
                zip(best.hits, known, strict=True), key=lambda one: unlike(cities.alike(one[1]))
            )[offset : offset + limit]
            near = tuple(hit for hit, _ in pairs)
            return msgspec.structs.replace(best, hits=near), [card for _, card in pairs]
        try:
            self.follow(cards)
        except Problem as problem:
            _logger.warning("the index of the cards is not up to date: %s", problem)
        self._prepare()
        with self._database.reading() as database:
            followed = _cursor(database, "seq")
        found = self.find(text, viewer, filters, languages=languages, offset=offset, limit=limit)
        hits, seen = [], []
        for hit in found.hits:
            try:
                card = cards.get(hit.id, viewer)
            except ResourceNotFound:
                # Taken away or closed in this moment.
                continue
            # What the index has of a card that was changed since may say what the card no longer does.
            if card.seq <= followed:
                seen.append(card)
                hits.append(hit)
        return msgspec.structs.replace(found, hits=tuple(hits)), seen

    def follow(self, cards: Cards, most: int = _AT_ONCE) -> int:
        """Index what changed since last time, `most` cards of it; how many are still to come."""
        self._prepare()
        with self._following:
            last = cards.last_seq()
            with self._database.reading() as database:
                since = _cursor(database, "seq")
            if since > last:
                # The cards were restored from an older backup.
                self.forget()
                since = 0
            done = 0
            while since < last and done < most:
                changes = cards.changes(since, _BATCH)
                if not changes:
                    break
                since = changes[-1].seq
                done += len(changes)
                with self._database.writing() as database:
                    for change in changes:
                        self._take(database, change, cards)
                    set_state(database, "seq", str(since))
            self._follow_answers(cards)
            self._follow_prices(cards, most - done)
            return max(0, last - since)

    def put(self, entries: Iterable[Entry]) -> None:
        """Index cards in one durable transaction, each in place of what was there."""
        self._prepare()
        with self._database.writing() as database:
            put(database, entries)

    def remove(self, card_id: str) -> None:
        """Take a card out of the index."""
        self._prepare()
        with self._database.writing() as database:
            remove(database, card_id)

    def rebuild(self, entries: Iterable[Entry]) -> None:
        """Begin anew with these cards, some thousand in a transaction."""
        self.forget()
        waiting = iter(entries)
        while batch := list(islice(waiting, 10 * _BATCH)):
            self.put(batch)

    def forget(self) -> None:
        """Empty the index; `follow` fills it again."""
        with self._database.writing() as database:
            clear(database)
            set_state(database, "format", FORMAT)
        self._ready = True

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def _prepare(self) -> None:
        if self._ready:
            return
        try:
            current = self._format() == FORMAT
        except Problem as problem:
            if problem.__cause__ is None or database_fault(problem.__cause__) != "damaged":
                raise
            _logger.warning("%s is damaged, and is made again", self._path)
            self._database.close()
            for end in ("", "-wal", "-shm"):
                self._path.with_name(self._path.name + end).unlink(missing_ok=True)
            current = False
        if not current:
            self.forget()
        self._ready = True

    def _format(self) -> str:
        with self._database.reading() as database:
            return state(database, "format")

    def _follow_answers(self, cards: Cards) -> None:
        """A new answer may change the level of evidence without the card."""
        with self._database.reading() as database:
            since = _cursor(database, "answers")
        newer = cards.answers.since(since, _BATCH)
        if not newer:
            return
        with self._database.writing() as database:
            for _, card_id in newer:
                database.execute(
                    "UPDATE entry SET level = ? WHERE id = ? AND answered",
                    (_level(cards, card_id), card_id),
                )
            set_state(database, "answers", str(newer[-1][0]))

    def _take(self, database: Connection, change: Change, cards: Cards) -> None:
        if change.seen is None:
            remove(database, change.id)
            return
        costs = priced(change.seen.card, self._rates(), _today())
        put(database, [_entry(change, cards, costs)])

    def _follow_prices(self, cards: Cards, most: int) -> None:
        """Tables of prices that were imported say anew what costs compare as, of `most` cards."""
        rates = self._rates()
        with self._database.reading() as database:
            same = state(database, "prices") == rates.key
            since, last = _cursor(database, "priced"), _cursor(database, "seq")
        if not same:
            since = 0
        while not same or (since < last and most > 0):
            changes = [one for one in cards.changes(since, _BATCH) if one.seq <= last]
            since = changes[-1].seq if changes else last
            most -= len(changes)
            with self._database.writing() as database:
                for change in changes:
                    row = database.execute(
                        "SELECT row FROM entry WHERE id = ?", (change.id,)
                    ).fetchone()
                    if row is not None and change.seen is not None:
                        costs = priced(change.seen.card, rates, _today())
                        index_costs(database, row[0], costs)
                set_state(database, "prices", rates.key)
                set_state(database, "priced", str(since))
            same = True

    def units(self, viewer: Viewer) -> list[str]:
        """The units that costs of cards which `viewer` may see are told in: PPS first, where there
        are tables of prices, then currencies."""
        self._prepare()
        with self._database.reading() as database:
            return cost_units(database, viewer)


def _today() -> date:
    return datetime.now(UTC).date()


def _cursor(database: Connection, name: str) -> int:
    return int(state(database, name) or 0)


def _entry(change: Change, cards: Cards, costs: tuple[Priced, ...]) -> Entry:
    assert change.seen is not None
    card = change.seen.card
    city = card.city
    # Of a card without its city's name the questions are not shown, so nor is what they came to.
    answered = bool(card.questions)
    return Entry(
        id=change.id,
        texts=spoken(change.seen),
        door=change.door,
        owner=change.owner,
        theme=card.theme,
        cluster=card.cluster,
        verdict=card.verdict.outcome,
        status=card.status,
        country=city.country if city else "",
        answered=answered,
        level=_level(cards, change.id) if answered else 0,
        costs=costs,
        population=city.population if city else None,
    )


def _level(cards: Cards, card_id: str) -> int:
    """The best level of evidence among a card's answers; 0 without one."""
    stored = cards.find(card_id)
    answers = cards.answers.to(card_id, stored.card.questions) if stored else {}
    levels = [_number(result.document.get("level")) for result in answers.values()]
    return max(levels, default=0)


def _number(level: Any) -> int:
    return level if isinstance(level, int) and 0 < level < 6 else 0


def search_concepts() -> dict[str, dict[str, tuple[str, ...]]]:
    """The glossary: concept → language → its words."""
    return {
        concept.name: {str(language): words for language, words in concept.words.items()}
        for concept in glossary().concepts.values()
    }
