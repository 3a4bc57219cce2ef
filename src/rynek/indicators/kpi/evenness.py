"""How evenly frequent lines run, and how much longer people wait for it: against the timetable where
one says how far apart departures should be, else against even headways."""

from __future__ import annotations

from typing import Any, Final

import msgspec
import numpy as np

from rynek.indicators.kpi.departures import FREQUENT_US
from rynek.indicators.kpi.timetable import Planned
from rynek.indicators.kpi.value import LEVEL, Thing, Value, sampling_error
from rynek.indicators.saying import say

__all__ = ["even_value", "quantile_of_t"]

_FEWEST: Final = 30
_MINUTE_US: Final = 60_000_000
Hours = list[dict[str, Any]]


def even_value(
    made: Value,
    measure: str,
    hours: Hours,
    quarters: set[int],
    planned: dict[tuple[str, str, int], Planned],
) -> Value:
    """Of frequent lines at each stop and hour: `excess_wait`, how much longer those wait who come at
    any time than they should (min), or `headway_variation`, how far headways are from what they
    should be (Transit Capacity and Quality of Service Manual, 3rd ed., 5-7)."""
    whole = _whole_hours(quarters)
    rows = [row for row in hours if row["hour"] in whole and _frequent(row, planned)]
    number = int(sum(row["many"] for row in rows))
    if number < _FEWEST:
        return msgspec.structs.replace(
            made, readings=number,
            why=say("headways-few", number=number, needed=_FEWEST),
        )  # fmt: skip
    lines, place = np.unique([row["line"] for row in rows], return_inverse=True)
    _, day = np.unique([row["day"] for row in rows], return_inverse=True)
    many, time, squares = (
        np.array([row[name] for row in rows], dtype=float) for name in ("many", "time", "squares")
    )
    mean, wait = _aims(rows, planned)
    if measure == "excess_wait":
        parts, below, power = (squares / 2 - wait * time) / _MINUTE_US, time, 1.0
    else:
        off = squares - 2 * mean * time + many * mean * mean
        parts, below, power = np.maximum(off, 0.0), many * mean * mean, 0.5
    sums = (np.bincount(place, parts) / np.bincount(place, below)) ** power
    value = float(parts.sum() / below.sum()) ** power
    error = sampling_error(np.bincount(day, parts), np.bincount(day, below), made.coverage)
    made = msgspec.structs.replace(
        made,
        status="ok",
        value=value,
        readings=number,
        things=tuple(
            Thing(id=str(name), value=float(each), coverage=made.coverage, readings=int(count))
            for name, each, count in zip(lines, sums, np.bincount(place, many), strict=True)
        ),
    )
    return _with_error(made, value, power, error)


def _frequent(row: dict[str, Any], planned: dict[tuple[str, str, int], Planned]) -> bool:
    """Whether departures are 15 minutes apart or less on average, by the timetable where there is
    one; after an hour without any nobody knows whether it runs, or is not told of."""
    if row["longest"] > 4 * FREQUENT_US:
        return False
    aim = planned.get((row["line"], row["stop"], row["hour"]))
    if aim is not None:
        return aim.many >= 2 and aim.time / aim.many <= FREQUENT_US
    return bool(row["many"] >= 2 and row["time"] / row["many"] <= FREQUENT_US)


def _aims(rows: Hours, planned: dict[tuple[str, str, int], Planned]) -> tuple[Any, Any]:
    """The headway (µs) that there should be in each row, and the mean wait for it."""
    means, waits = [], []
    for row in rows:
        aim = planned.get((row["line"], row["stop"], row["hour"]))
        many, time = (row["many"], row["time"]) if aim is None else (aim.many, aim.time)
        means.append(time / many)
        waits.append(time / many / 2 if aim is None else aim.squares / aim.time / 2)
    return np.array(means), np.array(waits)


def _with_error(made: Value, value: float, power: float, error: tuple[float, int] | None) -> Value:
    """The value with the standard error and interval of what was raised to `power` for it."""
    if error is None:
        return made
    # Of a root by the delta method.
    standard = error[0] if power == 1.0 else error[0] / (2 * value or 1.0)
    reach = quantile_of_t(error[1]) * standard
    least = -np.inf if power == 1.0 else 0.0
    return msgspec.structs.replace(
        made, standard_error=standard, interval=(max(value - reach, least), value + reach)
    )


def _whole_hours(quarters: set[int]) -> set[int]:
    """The hours (since 1970) of which all four quarters were told."""
    return {
        quarter // 4 for quarter in quarters if {quarter // 4 * 4 + n for n in range(4)} <= quarters
    }


def quantile_of_t(days: int) -> float:
    """Student's t of the level of intervals, for so many days."""
    from scipy.stats import t

    return float(t.ppf((1 + LEVEL) / 2, days - 1))
