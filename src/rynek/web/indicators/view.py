"""A city's profile as its page shows it: rows by theme, what is strong, what is weak."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from markupsafe import Markup

from rynek.indicators import Definition, Value
from rynek.web.i18n import Translator
from rynek.web.indicators import words
from rynek.web.indicators.drawing import Spot, cover_bar, spark
from rynek.web.indicators.gathering import Gathered, Step, told
from rynek.web.indicators.peers import ENOUGH, Place, place

__all__ = ["Row", "Section", "Step", "View", "peers_table", "spots_of", "standing"]


class Row(NamedTuple):
    """One indicator of the city."""

    id: str
    name: str
    about: str
    value: str
    interval: str
    missing: str
    coverage: str
    cover: Markup
    trend: Markup
    change: words.Change | None
    direction: str
    things: str
    verdict: str
    standing: str


class Section(NamedTuple):
    """The rows of one theme."""

    theme: str
    anchor: str
    rows: list[Row]


class View:
    """What the page of one city says, in one language."""

    def __init__(self, t: Translator, gathered: Gathered, names: Mapping[str, str]) -> None:
        self.t, self.gathered, self.names = t, gathered, names
        self.values = [one for one in gathered.found.values if told(one)]
        self.places = {one.definition.id: place(one, gathered.peers) for one in self.values}

    def sections(self) -> list[Section]:
        """The indicators of whose things the city has some, by theme."""
        found: dict[str, list[Row]] = {}
        for one in self.values:
            found.setdefault(one.definition.theme, []).append(self._row(one))
        named = [(words.theme_name(self.t, theme), theme, rows) for theme, rows in found.items()]
        return [
            Section(name, "theme-" + theme.replace(" ", "-"), rows)
            for name, theme, rows in sorted(named)
        ]

    def _row(self, one: Value) -> Row:
        t, about = self.t, one.definition
        value = "" if one.value is None else words.figure(t, one.value, about.unit)
        spots = spots_of(t, self.gathered.steps, one)
        stands = self.places[about.id]
        return Row(
            id=about.id,
            name=about.name[t.language],
            about=about.description[t.language],
            value=value,
            interval=words.interval(t, one),
            missing=words.missing(t, one),
            coverage=words.observed(t, one),
            cover=cover_bar(one.coverage, about.least_coverage),
            trend=spark(spots, f"{about.name[t.language]}: " + "; ".join(s.says for s in spots)),
            change=self.change(one),
            direction=words.direction(t, about),
            things=t.n("%(num)s thing", "%(num)s things", len(one.things))
            if about.computation is not None
            else "",
            verdict=stands.verdict,
            standing=standing(t, stands),
        )

    def change(self, one: Value) -> words.Change | None:
        """What became of a value since the step before; None where that has no number, or is of
        another length."""
        if not self.gathered.steps:
            return None
        before = self.gathered.steps[-1]
        period = self.gathered.period
        length, other = period.end - period.start, before.period.end - before.period.start
        earlier = before.values.get(one.definition.id)
        if earlier is None or not 0.9 <= length / other <= 1.1:
            return None
        return words.change(self.t, one, earlier)

    def named(self, verdict: str) -> list[tuple[str, str, str]]:
        """What is strong, or weak: id, name, and among how many."""
        return [
            (one.definition.id, one.definition.name[self.t.language], standing(self.t, stands))
            for one in self.values
            if (stands := self.places[one.definition.id]).verdict == verdict
        ]

    def on_peers(self) -> str:
        """Whether peers are enough to call anything strong or weak, in words."""
        t = self.t
        if any(one.verdict in {"strong", "weak", "middle"} for one in self.places.values()):
            return t(
                "Strong or weak means: better or worse than three quarters of the similar cities here."
                " Similar is a city with between a third and three times as many of the things that"
                " are measured. Each city is taken up to its own time."
            )
        with_any = {peer.tenant for one in self.places.values() for peer in one.peers}
        if self.gathered.pending and not with_any:
            return t("Other cities are being computed.")
        if not with_any:
            return t(
                "No other city here has values of these indicators: nothing is called strong or weak."
            )
        cities = ", ".join(sorted(self.names.get(one, one) for one in with_any))
        return t(
            "Other cities here with some of the same indicators: %(cities)s. With fewer than"
            " %(least)s similar ones nothing is called strong or weak.",
            cities=cities,
            least=t.number(ENOUGH, 0),
        )

    def counted(self) -> dict[str, int]:
        """How many have a number, have none, became better and became worse."""
        kinds = [change.kind for one in self.values if (change := self.change(one))]
        known = sum(one.value is not None for one in self.values)
        return {
            "known": known,
            "unknown": len(self.values) - known,
            "better": kinds.count("better"),
            "worse": kinds.count("worse"),
        }

    def without_things(self, wanted: Sequence[Definition]) -> list[str]:
        """The names of indicators of whose things the city has none."""
        there = {one.definition.id for one in self.values}
        return sorted(one.name[self.t.language] for one in wanted if one.id not in there)


def spots_of(t: Translator, steps: Sequence[Step], now: Value | None) -> list[Spot]:
    """A trend as points: the steps before, and the value now."""
    found = []
    about = None if now is None else now.definition.id
    for step in steps:
        value = step.values.get(about or "")
        if step.pending and value is None:
            continue
        found.append(_spot(t, words.period_name(t, step.period), value))
    if now is not None:
        found.append(_spot(t, words.period_name(t, now.period), now))
    return found


def _spot(t: Translator, period: str, value: Value | None) -> Spot:
    if value is None or value.value is None:
        return Spot(None, None, None, f"{period}: {t('not enough data')}")
    low, high = value.interval or (None, None)
    return Spot(
        value.value, low, high, f"{period}: {words.figure(t, value.value, value.definition.unit)}"
    )


def standing(t: Translator, stands: Place) -> str:
    """Where a value stands, in words; nothing where nobody else has it."""
    if stands.verdict == "none" or not stands.similar:
        return ""
    many = stands.similar
    better = t.n(
        "better than %(n)s of %(num)s similar city",
        "better than %(n)s of %(num)s similar cities",
        many,
        n=stands.better,
    )
    if not stands.worse:
        return better
    return better + ", " + t("worse than %(n)s", n=stands.worse)


def peers_table(t: Translator, stands: Place, names: Mapping[str, str]) -> list[dict[str, Any]]:
    """The values of other cities, the best first, or the largest where none is better."""
    rows = sorted(
        stands.peers,
        key=lambda one: (
            -words.goodness(one.value.definition, one.value.value or 0.0),
            -(one.value.value or 0.0),
        ),
    )
    return [
        {
            "tenant": one.tenant,
            "name": names.get(one.tenant, one.tenant),
            "value": words.figure(t, one.value.value or 0.0, one.value.definition.unit),
            "interval": words.interval(t, one.value),
            "things": t.number(len(one.value.things), 0),
            "similar": one.similar,
            "period": words.period_name(t, one.value.period),
        }
        for one in rows
    ]
