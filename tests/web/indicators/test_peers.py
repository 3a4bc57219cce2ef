"""Where a value stands among those of other cities."""

from __future__ import annotations

import pytest

from rynek.indicators import Period, Value, find_definition
from rynek.indicators.kpi.value import Provenance, Thing
from rynek.web.indicators.peers import place

_ORIGIN = Provenance(
    table="t", version=1, files=1, type="T", attribute="a", since=0, before=1, query="q"
)


def valued(
    number: float | None, things: int = 10, name: str = "bikes-taken", reach: float = 0.0
) -> Value:
    return Value(
        definition=find_definition(name),
        period=Period("P7D", 0, 1, "UTC"),
        status="ok" if number is not None else "not enough data",
        value=number,
        interval=(number - reach, number + reach) if number is not None and reach else None,
        things=tuple(Thing(id=f"{n}", value=1.0, coverage=1.0, readings=1) for n in range(things)),
        provenance=_ORIGIN,
    )


@pytest.mark.parametrize(
    ("own", "others", "verdict"),
    [
        (9.0, [1.0, 2.0, 3.0], "strong"),
        (0.5, [1.0, 2.0, 3.0], "weak"),
        (2.0, [1.0, 2.0, 3.0], "middle"),
        (9.0, [1.0, 2.0], "too few"),
        (9.0, [1.0, 2.0, None], "too few"),
        (9.0, [], "none"),
        (None, [1.0, 2.0, 3.0], "none"),
    ],
)
def test_three_quarters_of_three_make_strong_or_weak(
    own: float | None, others: list[float | None], verdict: str
) -> None:
    found = place(valued(own), {f"c{n}": [valued(one)] for n, one in enumerate(others)})
    assert found.verdict == verdict


def test_less_is_better_where_the_definition_says_so() -> None:
    name = "bike-stations-empty"
    others = {f"c{n}": [valued(30.0 + n, name=name)] for n in range(3)}
    assert place(valued(5.0, name=name), others).verdict == "strong"


def test_a_city_with_many_more_things_is_no_peer() -> None:
    others = {f"c{n}": [valued(1.0, things=31)] for n in range(3)}
    found = place(valued(9.0, things=10), others)
    assert (found.verdict, found.similar, len(found.peers)) == ("too few", 0, 3)


def test_values_within_their_intervals_are_not_told_apart() -> None:
    others = {f"c{n}": [valued(8.0, reach=1.0)] for n in range(3)}
    found = place(valued(9.0, reach=1.0), others)
    assert (found.better, found.worse, found.verdict) == (0, 0, "middle")


def test_nobody_is_strong_or_weak_where_neither_more_nor_less_is_better() -> None:
    name = "bike-rebalancing"
    others = {f"c{n}": [valued(30.0 + n, name=name)] for n in range(3)}
    found = place(valued(5.0, name=name), others)
    assert (found.verdict, found.similar, len(found.peers)) == ("none", 0, 3)
