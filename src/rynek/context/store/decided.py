"""What an index alone decides, so that no entity has to be looked at."""

from __future__ import annotations

from collections.abc import Sequence

from rynek.base.sqlite import Connection
from rynek.context.query import (
    BOOLEAN,
    COMPOUND,
    EQ,
    NUMBER,
    Comparison,
    Query,
    Term,
    key_ranges,
)
from rynek.context.store.indexes import Indexes
from rynek.context.store.values import ValueIndexes, ValueKey


def add_ranges(
    key: ValueKey, comparison: Comparison, sources: list[str], args: list[object]
) -> None:
    """Add the ranges of an index that answer a comparison, as SQL with its parameters."""
    for low, low_in, high, high_in in key_ranges(comparison):
        above, below = (">=" if low_in else ">"), ("<=" if high_in else "<")
        sources.append(f"value_index v WHERE v.k = ? AND v.v {above} ? AND v.v {below} ?")
        args += (key.k, low, high)


def plainly_typed(query: Query) -> bool:
    """Whether having one of the types is all that the type expression asks."""
    return query.types is None or all(len(one) == 1 for one in query.types.alternatives())


def is_exact(query: Query, comparison: Comparison) -> bool:
    """Whether the index alone decides: one comparison with numbers or booleans, one plain type.

    Keys of numbers and booleans are the values themselves; texts are cut, read as dates, …
    """
    literals = [*comparison.values, comparison.low, comparison.high]
    simple = all(one is None or one.kind in (NUMBER, BOOLEAN) for one in literals)
    return (
        simple
        and isinstance(query.q, Term)
        and comparison.pattern is None
        and not comparison.path
        and query.types is not None
        and plainly_typed(query)
        and query.geo is None
        and query.scope is None
        and query.id_pattern is None
        and not query.selectors
        and not query.attrs
    )


def is_equality(comparison: Comparison) -> bool:
    """Whether a comparison asks for one or several values, and no range."""
    return comparison.op == EQ and comparison.low is None and comparison.high is None


def no_arrays(keys: set[int]) -> str:
    """Whether no attribute in these value indexes has an array or object, as SQL: 1 or 0."""
    numbers = ", ".join(map(str, sorted(keys)))
    return f"NOT EXISTS (SELECT 1 FROM value_index c WHERE c.k IN ({numbers}) AND c.v = x'05')"


def has_compound(keys: set[int], values: ValueIndexes, connection: Connection) -> bool:
    """Whether one of these value indexes has an array or object as committed; the first that comes
    to one without ends the plans that were made (see Indexes.in_file)."""
    sql = "SELECT 1 FROM value_index WHERE k = ? AND v = ? LIMIT 1"
    for k in keys:
        if connection.execute(sql, (k, COMPOUND)).fetchone() is None:
            values.compound.discard(k)
        else:
            values.compound.add(k)
    return not values.compound.isdisjoint(keys)


def has_only(types: Sequence[int], attr: str, indexes: Indexes, connection: Connection) -> bool:
    """Whether only entities of these types have an attribute, as committed; the first of another
    type ends the plans that were made (see Indexes.in_file)."""
    marks = ", ".join("?" * len(types))
    sql = f"SELECT 1 FROM type_attr WHERE a = ? AND t NOT IN ({marks}) AND entities > 0 LIMIT 1"
    a = indexes.terms.by_iri.get(attr, 0)
    return connection.execute(sql, (a, *types)).fetchone() is None
