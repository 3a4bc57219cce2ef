"""From a query to the SQL that yields its candidates: the most selective index drives."""

from __future__ import annotations

import msgspec

from rynek.base.sqlite import Connection
from rynek.context.query import Comparison, Query, comparisons, key_ranges
from rynek.context.store.indexes import Indexes
from rynek.context.store.values import ValueKey

COLUMNS = "e.n, e.ctx, e.body, e.times"

# Below this many entities of a type, reading them all beats keeping an index for them.
SMALL_TYPE = 200
_PROBE_ROWS = 2_000
Wanted = tuple[int, str, tuple[str, ...]]


class Plan(msgspec.Struct):
    """`sql` yields COLUMNS of candidates in a stable order; `exact` when all of them match.

    `counting` counts them without reading them (only where exact).
    """

    sql: str
    args: tuple[object, ...]
    exact: bool = False
    counting: str = ""


def wanted_indexes(query: Query, indexes: Indexes, connection: Connection) -> list[Wanted]:
    """The value indexes this query would use, as (type term, attribute, path)."""
    if query.ids or query.q is None:
        return []
    found: list[Wanted] = []
    for comparison in comparisons(query.q):
        for t in candidate_types(query, indexes, comparison.attr, connection):
            if not is_small(connection, t):
                found.append((t, comparison.attr, comparison.path))
    return found


def candidate_types(
    query: Query, indexes: Indexes, attr: str, connection: Connection
) -> list[int]:
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


def is_small(connection: Connection, t: int) -> bool:
    """Whether type `t` has so few entities that scanning them is the best plan."""
    sql = "SELECT count(*) FROM (SELECT 1 FROM entity_type WHERE t = ? LIMIT ?)"
    return int(connection.execute(sql, (t, SMALL_TYPE)).fetchone()[0]) < SMALL_TYPE


class Planner:
    """Chooses how to find the candidates of a query."""

    def __init__(self, indexes: Indexes) -> None:
        self._indexes = indexes

    def plan(self, query: Query, connection: Connection) -> Plan:
        """The cheapest driver that is there; what it does not test is left to the exact match."""
        if query.ids is not None:
            return _by_ids(query)
        types = self._types(query)
        selective = self._values(query, connection, probe=True)
        if selective is not None:
            return selective
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
        bare = (
            query.q is None
            and query.geo is None
            and query.scope is None
            and not query.attrs
            and query.id_pattern is None
        )
        exact = bare and all(len(one) == 1 for one in types)
        if len(types) == 1:
            source = "entity_type x CROSS JOIN entity e ON e.n = x.n WHERE x.t = ?"
            counting = "SELECT count(*) FROM entity_type WHERE t = ?"
            return Plan(
                f"SELECT {COLUMNS} FROM {source} ORDER BY x.n",
                (types[0][0],),
                exact,
                counting,
            )
        first = sorted({one[0] for one in types})
        marks = ", ".join("?" * len(first))
        inner = f"SELECT n FROM entity_type WHERE t IN ({marks})"
        return Plan(
            f"SELECT {COLUMNS} FROM entity e WHERE e.n IN ({inner}) ORDER BY e.n",
            tuple(first),
            exact,
            f"SELECT count(DISTINCT n) FROM entity_type WHERE t IN ({marks})",
        )

    def _by_attributes(self, query: Query, connection: Connection) -> Plan:
        """Without a type: the types in use with the attributes asked for, else everything."""
        attrs = list(query.attrs)
        if query.q is not None:
            attrs += [c.attr for c in comparisons(query.q)]
        numbers = [self._indexes.terms.by_iri.get(a, 0) for a in attrs]
        if not numbers:
            return Plan(f"SELECT {COLUMNS} FROM entity e ORDER BY e.n", ())
        marks = ", ".join("?" * len(numbers))
        inner = (
            "SELECT x.n FROM entity_type x WHERE x.t IN"
            f" (SELECT t FROM type_attr WHERE a IN ({marks}) AND entities > 0)"
        )
        sql = f"SELECT {COLUMNS} FROM entity e WHERE e.n IN ({inner}) ORDER BY e.n"
        return Plan(sql, tuple(numbers))

    def _places(
        self, query: Query, types: list[list[int]], connection: Connection
    ) -> Plan | None:
        geo = query.geo
        assert geo is not None
        box = geo.box()
        slot = self._indexes.places.slots.get(geo.geoproperty)
        if box is None or slot is None:
            return None
        if len(types) == 1 and is_small(connection, types[0][0]):
            return None
        first = sorted({one[0] for one in types})
        marks = ", ".join("?" * len(first))
        of_type = (
            f" AND EXISTS (SELECT 1 FROM entity_type x WHERE x.t IN ({marks}) AND x.n = p.p >> 4)"
            if first
            else ""
        )
        west, south, east, north = box
        return Plan(
            f"SELECT {COLUMNS} FROM place p CROSS JOIN entity e ON e.n = p.p >> 4"
            " WHERE p.west <= ? AND p.east >= ? AND p.south <= ? AND p.north >= ?"
            f" AND (p.p & 15) = ?{of_type}",
            (east, west, north, south, slot, *first),
        )

    def _values(self, query: Query, connection: Connection, *, probe: bool) -> Plan | None:
        """A value index as driver: with `probe` only one that yields few rows."""
        if query.q is None:
            return None
        best: tuple[int, Plan] | None = None
        for comparison in comparisons(query.q):
            plan = self._value_plan(query, comparison, connection)
            if plan is None:
                continue
            if not probe:
                return plan[1]
            few = _count_up_to(connection, plan[0], plan[1].args)
            if few < _PROBE_ROWS and (best is None or few < best[0]):
                best = (few, plan[1])
        return best[1] if best else None

    def _value_plan(
        self, query: Query, comparison: Comparison, connection: Connection
    ) -> tuple[str, Plan] | None:
        ranges = key_ranges(comparison)
        keys: list[ValueKey] = []
        for t in candidate_types(query, self._indexes, comparison.attr, connection):
            key = self._indexes.values.ready(t, comparison.attr, comparison.path)
            if key is None:
                return None
            keys.append(key)
        if not keys or not ranges:
            return None
        selects: list[str] = []
        args: list[object] = []
        for key in keys:
            for low, low_in, high, high_in in ranges:
                above, below = (">=" if low_in else ">"), ("<=" if high_in else "<")
                selects.append(f"v.k = ? AND v.v {above} ? AND v.v {below} ?")
                args += (key.k, low, high)
        inner = " UNION ALL ".join(f"SELECT v.n FROM value_index v WHERE {w}" for w in selects)
        full = " UNION ALL ".join(
            f"SELECT {COLUMNS} FROM value_index v CROSS JOIN entity e ON e.n = v.n WHERE {w}"
            for w in selects
        )
        return inner, Plan(full, tuple(args))


def _by_ids(query: Query) -> Plan:
    ids = list(dict.fromkeys(query.ids or []))
    marks = ", ".join("?" * len(ids))
    sql = f"SELECT {COLUMNS} FROM entity e WHERE e.id IN ({marks}) ORDER BY e.n"
    return Plan(sql, tuple(ids))


def _count_up_to(connection: Connection, inner: str, args: tuple[object, ...]) -> int:
    sql = f"SELECT count(*) FROM ({inner} LIMIT {_PROBE_ROWS})"
    return int(connection.execute(sql, args).fetchone()[0])
