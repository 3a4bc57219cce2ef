"""What a city's data offer to a question: kinds, attributes that are numbers, places by name, days."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from typing import Any, Final

import msgspec
import numpy as np

from rynek.context import DEFAULT_VOCAB, Entity
from rynek.web.live_table import LiveTable
from rynek.web.pages import labels
from rynek.web.pages.home import loaded
from rynek.web.pages.map import hubs_of
from rynek.web.pages.shell import Page
from rynek.web.pages.values import as_number, short, title_of
from rynek.web.themes import RULES

__all__ = ["MAX_LISTED", "Choice", "Offered", "offered"]

Choice = tuple[str, str]
MAX_LISTED: Final = 200
_MAX_KINDS: Final = 40
_SAMPLE: Final = 20
_EPOCH: Final = date(1970, 1, 1)


class Offered(msgspec.Struct):
    """The choices: kinds, most things first; attributes of each kind with a number now; places of
    one kind by name (none where there are over MAX_LISTED); the first day and the one after the
    last that history holds, None without any."""

    kinds: list[Choice]
    kind: str
    attributes: dict[str, list[Choice]]
    places: list[Choice]
    first: date | None
    last: date | None
    moves: bool

    @property
    def days(self) -> int:
        """From the first day to the last."""
        return (self.last - self.first).days if self.first and self.last else 0


async def offered(page: Page, kind: str) -> Offered:
    """What the page's city offers; `kind` is chosen, the most frequent one without."""
    hub = hubs_of(page.site.engine).get(page.tenant.name)
    await loaded([hub])
    table: LiveTable = hub.table
    kinds, attributes, rows_of = [], {}, {}
    alive = table.alive[: table.size]
    counts = Counter(table.kind[: table.size][alive].tolist())
    for number, _ in counts.most_common(_MAX_KINDS):
        rows = np.flatnonzero(alive & (table.kind[: table.size] == number))
        some = [page.tenant.context.get(table.ids[row]) for row in rows[:_SAMPLE].tolist()]
        found = _numbers(page, [each for each in some if each is not None])
        if found:
            name = _name(some, table.kinds[number])
            kinds.append((name, labels.type_name(page.t, table.kinds[number])))
            attributes[name], rows_of[name] = found, rows.tolist()
    chosen = kind or (kinds[0][0] if kinds else "")
    listed = rows_of.get(chosen, [])
    places = _places(page, table, listed) if len(listed) <= MAX_LISTED else []
    days = page.tenant.history.days()
    rule = RULES.get(short(chosen))
    return Offered(
        kinds,
        chosen,
        attributes,
        places,
        _EPOCH + timedelta(days[0]) if days else None,
        _EPOCH + timedelta(days[-1] + 1) if days else None,
        rule is not None and rule.moves,
    )


def _numbers(page: Page, some: list[Entity]) -> list[Choice]:
    """The attributes of which an entity has a number, the one that its kind is known by first."""
    found: dict[str, None] = {}
    for entity in some:
        for iri in entity.attrs:
            instance = entity.default(iri)
            if instance is not None and as_number(instance.value) is not None:
                found[iri] = None
    kind = short(some[0].types[0]) if some else ""
    rule: Any = RULES.get(kind)
    known = (*rule.number, *rule.level) if rule else ()
    return sorted(
        ((iri.removeprefix(DEFAULT_VOCAB), labels.attribute(page.t, short(iri))) for iri in found),
        key=lambda each: (short(each[0]) not in known, each[1]),
    )


def _name(some: list[Entity | None], kind: str) -> str:
    """A type as a question names it: short in the default vocabulary, else its IRI."""
    for entity in some:
        for iri in entity.types if entity else ():
            if short(iri) == kind:
                return iri.removeprefix(DEFAULT_VOCAB)
    return kind


def _places(page: Page, table: LiveTable, rows: list[int]) -> list[Choice]:
    found = []
    for row in rows:
        entity = page.tenant.context.get(table.ids[row])
        if entity is not None:
            found.append((table.ids[row], title_of(page.t, entity)))
    return sorted(found, key=lambda each: each[1].casefold())
