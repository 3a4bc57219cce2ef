"""From a query to the SQL that yields its candidates: the most selective index drives."""

from __future__ import annotations

import time
from collections import OrderedDict

import msgspec

from rynek.base.sqlite import Connection
from rynek.context.query import (
    Comparison,
    Hint,
    Query,
    comparisons,
    hints,
)
from rynek.context.store.around import around
from rynek.context.store.decided import (
    add_ranges,
    has_compound,
    has_only,
    is_equality,
    is_exact,
    no_arrays,
    plainly_typed,
)
from rynek.context.store.indexes import Indexes

COLUMNS = "e.n, e.ctx, e.body, e.times"
_LEAN = "e.n, e.ctx, e.body, NULL"
_NUMBERED = "e.n, e.ctx, e.body"

# Below this many entities of a type, reading them all beats keeping an index for them.
SMALL_TYPE = 200
_BEGUN = (
    "SELECT e.ctx, e.body, x.n FROM"
    " (SELECT n FROM entity_type WHERE t = ? AND n >= ? ORDER BY n LIMIT ? OFFSET ?) x"
    " CROSS JOIN entity e ON e.n = x.n ORDER BY x.n"
)
_PROBE_ROWS = 2_000
# Sorts after every character that a scope may go on with.
_AFTER_ALL = chr(0x10FFFF)
_PLAN_SECONDS = 10.0
_PLANS = 4_096
Wanted = tuple[int, str, tuple[str, ...]]


class Plan(msgspec.Struct):
    """`sql` yields COLUMNS of candidates in a stable order, and 1 for those that match without
    being looked at; `exact` when all of them match.

    `lean` is the same without times. `paged` has LIMIT and OFFSET where no entity comes twice and
    all match, so that SQL can skip to a page, and `paged_bodies` is that with nothing but context
    and body; `begun` starts that page at an entity that is known to stand before it in the list of
    type `args[0]`.

    `numbers` gives the numbers of entities that surely match, up to a LIMIT, in the order of `sql`:
    all of them where it is `whole`, the first ones otherwise. One may come twice. `joined` gives
    number, context and body of each: it is asked while most bodies are not remembered (`cold`).

    `counting` counts matches without reading them, or gives NULL where it cannot (empty:
    never); `typed` says that all have the query's type.
    """

    sql: str
    args: tuple[object, ...]
    paged: str = ""
    exact: bool = False
    counting: str = ""
    typed: bool = False
    lean: str = ""
    paged_bodies: str = ""
    begun: str = ""
    numbers: str = ""
    joined: str = ""
    whole: bool = True
    cold: bool = False

    def __post_init__(self) -> None:
        self.lean = self.sql.replace(COLUMNS, _LEAN)
        if self.paged:
            self.paged_bodies = self.paged.replace(COLUMNS, "e.ctx, e.body")


def wanted_indexes(query: Query, indexes: Indexes, connection: Connection) -> list[Wanted]:
    """The value indexes this query would use, as (type term, attribute, path)."""
    if query.ids or query.q is None:
        return []
    found: list[Wanted] = []
    for comparison in (one for hint in hints(query.q) for one in union_of(hint)):
        types = candidate_types(query, indexes, comparison.attr, connection)
        found += [
            (t, comparison.attr, comparison.path)
            for t in types
            if not is_small(indexes, connection, t)
        ]
    return found


def union_of(hint: Hint) -> list[Comparison]:
    """Comparisons whose matches together contain every match of `hint`."""
    if isinstance(hint, Comparison):
        return [hint]
    return [one for branch in hint.branches for one in union_of(branch[0])]


def candidate_types(query: Query, indexes: Indexes, attr: str, connection: Connection) -> list[int]:
    """The types whose entities can match: the query's own, or those in use with `attr`."""
    if query.types is not None:
        numbers = [
            [indexes.terms.by_iri.get(iri, 0) for iri in sorted(one)]
            for one in query.types.alternatives()
        ]
        return sorted({one[0] for one in numbers if all(one)})
    a = indexes.terms.by_iri.get(attr, 0)
    rows = connection.execute("SELECT t FROM type_attr WHERE a = ? AND entities > 0", (a,))
    return [int(t) for (t,) in rows.fetchall()]


def is_small(indexes: Indexes, connection: Connection, t: int) -> bool:
    """Whether type `t` has so few entities that scanning them is the best plan.

    A type that once was large is taken for large from then on.
    """
    if t in indexes.large_types:
        return False
    sql = "SELECT count(*) FROM (SELECT 1 FROM entity_type WHERE t = ? LIMIT ?)"
    small = int(connection.execute(sql, (t, SMALL_TYPE)).fetchone()[0]) < SMALL_TYPE
    if not small:
        indexes.large_types.add(t)
    return small


def is_bare(query: Query) -> bool:
    """Whether nothing but the types decides."""
    return query.geo is None and is_placed(query)


def is_placed(query: Query) -> bool:
    """Whether nothing but types and place decides."""
    return (
        query.ids is None
        and query.q is None
        and query.scope is None
        and not query.attrs
        and query.id_pattern is None
        and not query.selectors
    )


class Planner:
    """Chooses how to find the candidates of a query."""

    def __init__(self, indexes: Indexes) -> None:
        self._indexes = indexes
        # By identity: the API remembers parsed queries, so the same object comes again and again.
        self._known: OrderedDict[int, tuple[Query, int, float, Plan]] = OrderedDict()

    def plan(self, query: Query, connection: Connection) -> Plan:
        """The cheapest driver that is there; what it does not test is left to the exact match.

        A plan is kept for a while, until indexes or types come or go.
        """
        known = self.remembered(query)
        if known is not None:
            return known
        plan = self._choose(query, connection)
        until = time.monotonic() + _PLAN_SECONDS
        self._known[id(query)] = (query, self._indexes.generation, until, plan)
        if len(self._known) > _PLANS:
            self._known.popitem(last=False)
        return plan

    def remembered(self, query: Query) -> Plan | None:
        """The plan made for this very query before, while it still holds."""
        known = self._known.get(id(query))
        if known is None or known[0] is not query or known[1] != self._indexes.generation:
            return None
        return known[3] if time.monotonic() < known[2] else None

    def _choose(self, query: Query, connection: Connection) -> Plan:
        if query.ids is not None:
            return _by_ids(query)
        types = self._types(query)
        if query.types is not None and not types:
            return self._by_type(query, types)  # nobody has such a type
        selective = self._values(query, connection, probe=True)
        if selective is not None:
            return selective
        if (scopes := self._scopes(query, connection)) is not None:
            return scopes
        if query.geo is not None and (places := self._places(query, types, connection)):
            return places
        ranged = self._values(query, connection, probe=False)
        if ranged is not None:
            return ranged
        if query.types is not None:
            return self._by_type(query, types)
        return self._by_attributes(query, connection)

    def _types(self, query: Query) -> list[list[int]]:
        """The alternatives of the type expression as term numbers; unknown types match nothing."""
        if query.types is None:
            return []
        numbers = self._indexes.terms.by_iri
        found = [[numbers.get(iri, 0) for iri in sorted(a)] for a in query.types.alternatives()]
        return [one for one in found if all(one)]

    def _by_type(self, query: Query, types: list[list[int]]) -> Plan:
        exact = is_bare(query) and all(len(one) == 1 for one in types)
        typed = plainly_typed(query)
        if len(types) == 1:
            page = "SELECT n FROM entity_type WHERE t = ? ORDER BY n LIMIT ? OFFSET ?"
            return Plan(
                f"SELECT {COLUMNS}, 0 FROM entity_type x CROSS JOIN entity e ON e.n = x.n"
                " WHERE x.t = ? ORDER BY x.n",
                (types[0][0],),
                f"SELECT {COLUMNS} FROM ({page}) x CROSS JOIN entity e ON e.n = x.n ORDER BY x.n"
                if exact
                else "",
                exact,
                "SELECT count(*) FROM entity_type WHERE t = ?" if exact else "",
                typed,
                begun=_BEGUN if exact else "",
            )
        first = sorted({one[0] for one in types})
        marks = ", ".join("?" * len(first))
        inner = f"SELECT n FROM entity_type WHERE t IN ({marks})"
        source = f"FROM entity e WHERE e.n IN ({inner}) ORDER BY e.n"
        return Plan(
            f"SELECT {COLUMNS}, 0 {source}",
            tuple(first),
            f"SELECT {COLUMNS} {source} LIMIT ? OFFSET ?" if exact else "",
            exact,
            f"SELECT count(DISTINCT n) FROM entity_type WHERE t IN ({marks})" if exact else "",
            typed,
        )

    def _by_attributes(self, query: Query, connection: Connection) -> Plan:
        """Without a type: the types in use with the attributes asked for, else everything."""
        attrs = list(query.attrs)
        if query.q is not None:
            attrs += [c.attr for c in comparisons(query.q)]
        numbers = [self._indexes.terms.by_iri.get(a, 0) for a in attrs]
        if not numbers:
            return Plan(f"SELECT {COLUMNS}, 0 FROM entity e ORDER BY e.n", ())
        marks = ", ".join("?" * len(numbers))
        inner = (
            "SELECT x.n FROM entity_type x WHERE x.t IN"
            f" (SELECT t FROM type_attr WHERE a IN ({marks}) AND entities > 0)"
        )
        sql = f"SELECT {COLUMNS}, 0 FROM entity e WHERE e.n IN ({inner}) ORDER BY e.n"
        return Plan(sql, tuple(numbers))

    def _places(self, query: Query, types: list[list[int]], connection: Connection) -> Plan | None:
        geo = query.geo
        assert geo is not None
        box = geo.box()
        slot = self._indexes.places.slots.get(geo.geoproperty)
        if box is None or slot is None:
            return None
        if len(types) == 1 and is_small(self._indexes, connection, types[0][0]):
            return None
        first = sorted({one[0] for one in types})
        marks = ", ".join(f"?{6 + k}" for k in range(len(first)))
        of_type = (
            f" AND EXISTS (SELECT 1 FROM entity_type x WHERE x.t IN ({marks}) AND x.n = p.p >> 4)"
            if first
            else ""
        )
        circle = around(geo, box, 5 + len(first))
        typed = plainly_typed(query)
        placed = typed and is_placed(query)
        start = "FROM place p CROSS JOIN entity e ON e.n = p.p >> 4 WHERE "
        rest = f" AND (p.p & 15) = ?5{of_type}"
        sure = circle.inside if placed else "0"
        sql = (
            f"SELECT {COLUMNS}, {sure} {start} p.west <= ?1 AND p.east >= ?2 AND p.south <= ?3"
            f" AND p.north >= ?4{rest}{circle.nearby}"
        )
        west, south, east, north = box
        args = (east, west, north, south, slot, *first, *circle.args)
        numbers = joined = ""
        if circle.square:
            within = f"SELECT {COLUMNS}, {int(placed)} {start}{circle.square}{rest}"
            sql = f"{within} UNION ALL {sql} AND NOT ({circle.square})"
            if placed:
                only = not first or has_only(first, geo.geoproperty, self._indexes, connection)
                end = f"{circle.square} AND (p.p & 15) = ?5{'' if only else of_type}"
                end += f" LIMIT ?{len(args) + 1}"
                numbers = f"SELECT p.p >> 4 FROM place p WHERE {end}"
                joined = f"SELECT {_NUMBERED} {start}{end}"
        return Plan(sql, args, typed=typed, numbers=numbers, joined=joined, whole=False)

    def _values(self, query: Query, connection: Connection, *, probe: bool) -> Plan | None:
        """A value index as driver: with `probe` only one that yields few rows."""
        if query.q is None:
            return None
        best: tuple[int, Plan] | None = None
        conditions = hints(query.q)
        if len(conditions) == 1 and query.geo is None and query.scope is None:
            probe = False  # there is nothing else to choose
        for hint in conditions:
            plan = self._value_plan(query, union_of(hint), connection)
            if plan is None:
                continue
            if not probe:
                return plan[1]
            few = _count_up_to(connection, plan[0], plan[1].args)
            if few < _PROBE_ROWS and (best is None or few < best[0]):
                best = (few, plan[1])
        return best[1] if best else None

    def _value_plan(
        self, query: Query, union: list[Comparison], connection: Connection
    ) -> tuple[str, Plan] | None:
        """(numbers of the candidates, plan): index ranges, and small types as a whole.

        None while an index is missing.
        """
        sources: list[str] = []
        args: list[object] = []
        keys: set[int] = set()
        whole = False
        for comparison in union:
            for t in candidate_types(query, self._indexes, comparison.attr, connection):
                key = self._indexes.values.ready(t, comparison.attr, comparison.path)
                if key is not None:
                    keys.add(key.k)
                    add_ranges(key, comparison, sources, args)
                elif is_small(self._indexes, connection, t):
                    sources.append("entity_type v WHERE v.t = ?")
                    args.append(t)
                    whole = True
                else:
                    return None
        if not sources:
            return None
        inner = " UNION ALL ".join(f"SELECT v.n FROM {source}" for source in sources)
        exact = not whole and len(union) == 1 and is_exact(query, union[0])
        numbers = f"{inner} LIMIT ?" if exact else ""
        sure = "0"
        counting = f"SELECT count(DISTINCT n) FROM ({inner})"
        if exact and not is_equality(union[0]):
            # A range does not look inside an array: it takes the index's word while there is none.
            exact, sure = False, no_arrays(keys)
            if has_compound(keys, self._indexes.values, connection):
                numbers = ""
            counting = f"SELECT CASE WHEN {sure} THEN ({counting}) END"
        tables = [
            f"FROM {source.replace(' WHERE', ' CROSS JOIN entity e WHERE', 1)} AND e.n = v.n"
            for source in sources
        ]
        full = " UNION ALL ".join(f"SELECT {COLUMNS}, {sure} {one}" for one in tables)
        joined = " UNION ALL ".join(f"SELECT {_NUMBERED} {one}" for one in tables) + " LIMIT ?"
        if not exact and sure == "0":
            counting = ""
        typed = plainly_typed(query)
        plan = Plan(full, tuple(args), "", exact, counting, typed, numbers=numbers, joined=joined)
        return inner, plan

    def _scopes(self, query: Query, connection: Connection) -> Plan | None:
        """The scope index as driver, where it yields few rows."""
        if query.scope is None or "" in (prefixes := query.scope.prefixes()):
            return None
        sources = " UNION ALL ".join(
            "SELECT n FROM entity_scope WHERE scope >= ? AND scope < ?" for _ in prefixes
        )
        args = tuple(bound for prefix in prefixes for bound in (prefix, prefix + _AFTER_ALL))
        if _count_up_to(connection, sources, args) >= _PROBE_ROWS:
            return None
        sql = f"SELECT {COLUMNS}, 0 FROM entity e WHERE e.n IN ({sources}) ORDER BY e.n"
        return Plan(sql, args)


def _by_ids(query: Query) -> Plan:
    ids = list(dict.fromkeys(query.ids or []))
    marks = ", ".join("?" * len(ids))
    sql = f"SELECT {COLUMNS}, 0 FROM entity e WHERE e.id IN ({marks}) ORDER BY e.n"
    return Plan(sql, tuple(ids))


def _count_up_to(connection: Connection, inner: str, args: tuple[object, ...]) -> int:
    sql = f"SELECT count(*) FROM ({inner} LIMIT {_PROBE_ROWS})"
    return int(connection.execute(sql, args).fetchone()[0])
