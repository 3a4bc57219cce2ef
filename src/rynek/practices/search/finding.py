"""Answering a query from the index. What a viewer may not see is neither found, counted nor shown: the
condition is in each such statement. How rare a word is, which orders what is found, is of all cards."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec

from rynek.base.errors import BadRequestData
from rynek.base.sqlite import Connection
from rynek.practices.cards import Viewer
from rynek.practices.saying import say
from rynek.practices.search.costing import KINDS, PPS, units
from rynek.practices.search.glossary import glossary
from rynek.practices.search.index import FACETS
from rynek.practices.search.mending import mended
from rynek.practices.search.plan import Plan, expressions, planned
from rynek.practices.search.query import parsed
from rynek.practices.search.ranking import WEIGHTS, Candidate, score
from rynek.practices.search.snippets import Marker, Snippet, snippets
from rynek.practices.search.words import LANGUAGES

__all__ = [
    "MAX_LIMIT",
    "MAX_OFFSET",
    "SIZES",
    "Filters",
    "Found",
    "Hit",
    "cost_units",
    "find",
    "found_document",
    "hit_document",
]

MAX_LIMIT: Final = 100
MAX_OFFSET: Final = 10_000
# How many of the best by BM25 are looked at again, and how few of them make one ask leniently.
_CANDIDATES: Final = 100
_FEW: Final = 10
SIZES: Final = {
    "small": (0, 50_000),
    "middle": (50_000, 250_000),
    "large": (250_000, 1_000_000),
    "metropolis": (1_000_000, 1 << 40),
}
"""Sizes of cities: people from, to (not with it)."""
# So many of the newest that match are counted and ranked.
MOST: Final = 2_000
_COLUMNS: Final = "found.title, found.body, found.meant, found.within, found.above, found.alike"


# The index first: SQLite would else sort what it need not.
_FROM: Final = "FROM found CROSS JOIN entry ON entry.row = found.rowid"


class Filters(msgspec.Struct, frozen=True):
    """Which cards; "" and None are any. `level` is the least level of evidence, `size` one of SIZES,
    `language` one that the card is told in. A card has a cost of the `cost_kind` between
    `cost_from` and `cost_to`, in `cost_in`: PPS, or a currency (nominal, of any year)."""

    theme: str = ""
    cluster: str = ""
    verdict: str = ""
    status: str = ""
    country: str = ""
    language: str = ""
    size: str = ""
    level: int = 0
    cost_from: float | None = None
    cost_to: float | None = None
    cost_kind: str = ""
    cost_in: str = PPS


class Hit(msgspec.Struct, frozen=True):
    """A card that was found: its title and a piece of its text, with what was found marked."""

    id: str
    title: Snippet
    snippet: Snippet | None


class Found(msgspec.Struct, frozen=True):
    """`total` cards match, `facets` says how many of them have which value, `hits` are a page of them.

    Of more than `MOST` the newest are counted and ranked, and `more` is true. `matching` says how
    many words of the query they have: all, most, any. `mended` are words that no card has, for which
    similar ones were looked for.
    """

    total: int
    hits: tuple[Hit, ...]
    facets: dict[str, dict[str, int]]
    matching: str
    mended: tuple[str, ...] = ()
    more: bool = False


def found_document(found: Found) -> dict[str, Any]:
    """As JSON has it."""
    return {
        "total": found.total,
        "more": found.more,
        "matching": found.matching,
        "mended": list(found.mended),
        "facets": found.facets,
        "hits": [{"id": hit.id} | hit_document(hit) for hit in found.hits],
    }


def hit_document(hit: Hit) -> dict[str, Any]:
    """A card's title and snippet as JSON has them."""
    return {
        "title": _snippet_document(hit.title),
        "snippet": _snippet_document(hit.snippet) if hit.snippet else None,
    }


def _snippet_document(snippet: Snippet) -> dict[str, Any]:
    pieces = [{"text": piece.text, "marked": piece.marked} for piece in snippet.pieces]
    return {"language": snippet.language, "pieces": pieces}


def find(
    database: Connection,
    text: str,
    viewer: Viewer,
    filters: Filters | None = None,
    *,
    languages: Sequence[str] = (),
    offset: int = 0,
    limit: int = 20,
) -> Found:
    """The cards that a viewer may see and a query names, the best first.

    `languages` are those that a reader prefers, for titles and snippets. BadRequestData names what
    is wrong with the query or a filter.
    """
    if not 0 <= offset <= MAX_OFFSET or not 0 < limit <= MAX_LIMIT:
        raise BadRequestData(say("search-page", limit=MAX_LIMIT, offset=MAX_OFFSET))
    where, values = _conditions(viewer, filters or Filters())
    if not text.strip():
        return _unasked(database, where, values, languages, offset, limit)
    known = glossary()
    query = parsed(text, known)

    def visible(expression: str) -> bool:
        return _matches(database, expression, where, values, 1) > 0

    if query.wanted:
        query = mended(query, database, known, visible)
    entries = int(database.execute("SELECT count(*) FROM entry").fetchone()[0])
    plan = planned(query, database, entries, visible)
    expression, matching = _expression(database, plan, where, values)
    if not expression:
        return Found(0, (), {name: {} for name in FACETS}, "all")
    facets = _facets(database, expression, where, values)
    total = sum(facets[FACETS[0]].values())
    rows: list[int] = []
    if total >= MOST:
        # So many have it in their text: those that have it in their title are enough to choose from.
        narrow = f"{{title meant}} : ({expression})"
        rows = _ranked(database, plan, narrow, where, values, offset + limit)
    if len(rows) < offset + limit:
        rows = _ranked(database, plan, expression, where, values, offset + limit)
    again = tuple(term.text for term in query.terms if term.mended)
    shown = _shown(database, rows[offset : offset + limit], Marker(plan, known), languages)
    return Found(total, shown, facets, matching, again, total >= MOST)


def _unasked(
    database: Connection,
    where: str,
    values: Sequence[Any],
    languages: Sequence[str],
    offset: int,
    limit: int,
) -> Found:
    """Every card that the filters leave, the last indexed first, without a query."""
    kinds = Counter(
        dict(
            database.execute(
                f"SELECT entry.kind, count(*) FROM entry WHERE {where} GROUP BY entry.kind", values
            ).fetchall()
        )
    )
    rows = database.execute(
        f"SELECT entry.row FROM entry WHERE {where} ORDER BY entry.row DESC LIMIT ? OFFSET ?",
        (*values, limit, offset),
    ).fetchall()
    known = glossary()
    marker = Marker(Plan((), (), ()), known)
    shown = _shown(database, [row for (row,) in rows], marker, languages)
    return Found(sum(kinds.values()), shown, _counted(database, kinds), "all")


def _expression(
    database: Connection, plan: Plan, where: str, values: Sequence[Any]
) -> tuple[str, str]:
    """The strictest expression that enough cards match, and of how many words they have."""
    told = list(expressions(plan))
    names = ["all", "most", "any"] if len(told) > 2 else ["all", "any"]
    for expression, name in zip(told, names, strict=False):
        if expression == told[-1] or _matches(database, expression, where, values, _FEW) >= _FEW:
            return expression, name if len(told) > 1 else "all"
    return "", "all"


def _matches(
    database: Connection, expression: str, where: str, values: Sequence[Any], most: int
) -> int:
    """How many visible entries match, counted up to `most`."""
    row = database.execute(
        f"SELECT count(*) FROM (SELECT 1 {_FROM} WHERE found MATCH ? AND {where} LIMIT ?)",
        (expression, *values, most),
    ).fetchone()
    return int(row[0])


def _facets(
    database: Connection, expression: str, where: str, values: Sequence[Any]
) -> dict[str, dict[str, int]]:
    rows = database.execute(
        f"SELECT entry.kind {_FROM} WHERE found MATCH ? AND {where}"
        " ORDER BY found.rowid DESC LIMIT ?",
        (expression, *values, MOST),
    )
    return _counted(database, Counter(kind for (kind,) in rows))


def _counted(database: Connection, kinds: Counter[int]) -> dict[str, dict[str, int]]:
    counted: dict[str, Counter[str]] = {name: Counter() for name in FACETS}
    told = database.execute(
        f"SELECT kind.kind, {', '.join(FACETS)} FROM json_each(?) JOIN kind ON kind.kind = value",
        (json.dumps(list(kinds)),),
    )
    for kind, *named in told:
        for name, value in zip(FACETS, named, strict=True):
            counted[name][value] += kinds[kind]
    return {name: dict(counts.most_common()) for name, counts in counted.items()}


def _ranked(
    database: Connection,
    plan: Plan,
    expression: str,
    where: str,
    values: Sequence[Any],
    wanted: int,
) -> list[int]:
    weights = ", ".join(map(str, WEIGHTS))
    rows = database.execute(
        f"SELECT best.row, best.score, {_COLUMNS} FROM (SELECT * FROM (SELECT entry.row AS row,"
        f" -bm25(found, {weights}) AS score {_FROM} WHERE found MATCH ? AND {where}"
        " ORDER BY found.rowid DESC LIMIT ?) ORDER BY score DESC, row LIMIT ?) AS best"
        " CROSS JOIN found ON found.rowid = best.row ORDER BY best.score DESC, best.row",
        (expression, *values, MOST, max(_CANDIDATES, wanted)),
    )
    candidates = [
        Candidate(row, bm25, *(f" {column} " for column in columns)) for row, bm25, *columns in rows
    ]
    best = max((one.bm25 for one in candidates), default=0.0)
    # What is beyond the first hundred keeps its place by BM25: pages must not change their order.
    first = sorted(candidates[:_CANDIDATES], key=lambda one: (-score(plan, one, best), one.row))
    return [one.row for one in (*first, *candidates[_CANDIDATES:])]


def _shown(
    database: Connection, rows: Iterable[int], marker: Marker, languages: Sequence[str]
) -> tuple[Hit, ...]:
    hits = []
    for row in rows:
        card, texts = database.execute(
            "SELECT entry.id, told.texts FROM entry JOIN told ON told.row = entry.row"
            " WHERE entry.row = ?",
            (row,),
        ).fetchone()
        hits.append(Hit(card, *snippets(msgspec.json.decode(texts), marker, languages)))
    return tuple(hits)


def cost_units(database: Connection, viewer: Viewer) -> list[str]:
    """The units that costs of visible cards are told in, PPS first."""
    parts, values = _sight(viewer)
    return units(database, " AND ".join(parts), values)


def _conditions(viewer: Viewer, filters: Filters) -> tuple[str, list[Any]]:
    """What a viewer may see of what is wanted, in SQL with its values."""
    parts, values = _sight(viewer)
    for name in FACETS:
        value = getattr(filters, name)
        if value:
            parts.append(f"entry.{name} = ?")
            values.append(value)
    if filters.language:
        if filters.language not in LANGUAGES:
            raise BadRequestData(say("search-one-of", key="language", known=LANGUAGES))
        parts.append("entry.languages & ?")
        values.append(1 << LANGUAGES.index(filters.language))
    if filters.size:
        if filters.size not in SIZES:
            raise BadRequestData(say("search-one-of", key="size", known=list(SIZES)))
        parts.append("entry.population >= ? AND entry.population < ?")
        values += SIZES[filters.size]
    if filters.level:
        parts.append("entry.level >= ?")
        values.append(filters.level)
    if filters.cost_from is not None or filters.cost_to is not None or filters.cost_kind:
        told, asked = _costs(filters)
        parts.append(told)
        values += asked
    return " AND ".join(parts), values


def _costs(filters: Filters) -> tuple[str, list[Any]]:
    """That an entry has a cost that may lie in what is asked for."""
    parts = ["cost.row = entry.row", "cost.unit = ?"]
    values: list[Any] = [filters.cost_in]
    if filters.cost_kind:
        if filters.cost_kind not in KINDS:
            raise BadRequestData(say("search-one-of", key="cost_kind", known=KINDS))
        parts.append("cost.kind = ?")
        values.append(filters.cost_kind)
    for told, amount in (("high >=", filters.cost_from), ("low <=", filters.cost_to)):
        if amount is not None:
            parts.append(f"cost.{told} ?")
            values.append(amount)
    return f"EXISTS(SELECT 1 FROM cost WHERE {' AND '.join(parts)})", values


def _sight(viewer: Viewer) -> tuple[list[str], list[Any]]:
    """`Viewer.passes` in SQL."""
    if viewer.admin:
        return ["1"], []
    doors = "('public', 'members')" if viewer.member else "('public')"
    seen = f"entry.door IN {doors}"
    owners = sorted(viewer.owners - {""})
    if not owners:
        return [seen], []
    return [f"({seen} OR entry.owner IN ({', '.join('?' * len(owners))}))"], list(owners)
