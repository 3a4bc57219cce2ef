"""The page of the service itself: how it does, and its last day from its own history."""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec
import numpy as np
from markupsafe import Markup
from starlette.responses import Response
from starlette.routing import Route

from rynek import __version__
from rynek.base.clock import MICRO
from rynek.base.ids import SERVICE_TENANT
from rynek.base.log import redact
from rynek.base.units import PER_MINUTE, symbol
from rynek.web.contract import said
from rynek.web.pages import plot
from rynek.web.pages.series import HOUR, Series, in_table, thin
from rynek.web.pages.shell import Page, Site
from rynek.web.watch.health import Check, ready, worst
from rynek.web.watch.own import FIGURES, UPTIME, service_id

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["routes"]


def N_(message: str) -> str:  # noqa: N802 - gettext's customary name for "mark, don't translate"
    """Mark a message for the catalogues."""
    return message


_DAY: Final = 24 * HOUR
_POINTS: Final = 288
# Twice the recorder's minute and some patience: nobody was there to write.
_GAP: Final = 150 * MICRO
_MOST_CITIES: Final = 100
_NO_BREAK: Final = "\u00a0"


class Shown(NamedTuple):
    """How a figure is shown: its title, what it means, and a factor with a unit of its own."""

    title: str
    meaning: str
    factor: float = 1.0
    unit: str = ""


_SHOWN: Final = {
    "requestsPerMinute": Shown(N_("Answers a minute"), N_("Pages and programs together")),
    "errorsPerMinute": Shown(
        N_("Errors of the server a minute"), N_("Answers with a status of 500 and more")
    ),
    "changesPerMinute": Shown(
        N_("Changes a minute"), N_("Entities that feeds and programs have written")
    ),
    "answerTimeMedian": Shown(
        N_("Usual answer time"), N_("Half of the answers to programs are faster")
    ),
    "answerTimeP99": Shown(
        N_("Slow answers"), N_("One answer in a hundred to programs takes longer")
    ),
    "commitTime": Shown(N_("Time to write"), N_("Until a group of changes is safe on the disk")),
    "loopDelay": Shown(N_("Longest wait"), N_("For how long the service was too busy to answer")),
    "currentCpuUsage": Shown(N_("Processor"), N_("100 % is one processor core"), 100.0, "%"),
    "currentMemoryUsage": Shown(N_("Memory"), N_("With the cached parts of its files")),
    "diskFree": Shown(N_("Free room on the disk"), N_("Where the data folder is")),
    "databaseSize": Shown(N_("Live picture on the disk"), N_("The databases of all cities")),
    "historySize": Shown(N_("History on the disk"), N_("The tables of readings of all cities")),
    "openFiles": Shown(N_("Open files"), N_("Files and connections")),
    "historyBehind": Shown(
        N_("History behind"), N_("How long readings wait until they are in the tables")
    ),
    "notificationsWaiting": Shown(
        N_("Notifications waiting"), N_("Messages that receivers have not taken yet")
    ),
    "deadLetters": Shown(N_("Dead letters"), N_("Messages that were given up")),
    "notificationsDropped": Shown(
        N_("Notifications dropped"), N_("Not sent, because their subscription had expired")
    ),
    "feedsFailing": Shown(N_("Feeds in trouble"), N_("Failing, or out of date")),
}
_GROUPS: Final = (
    (N_("What is asked"), ("requestsPerMinute", "errorsPerMinute", "changesPerMinute")),
    (N_("How fast it is"), ("answerTimeMedian", "answerTimeP99", "commitTime", "loopDelay")),
    (
        N_("What it needs"),
        ("currentCpuUsage", "currentMemoryUsage", "diskFree", "databaseSize", "historySize",
         "openFiles"),
    ),
    (
        N_("What waits or fails"),
        ("historyBehind", "notificationsWaiting", "deadLetters", "notificationsDropped",
         "feedsFailing"),
    ),
)  # fmt: skip
_STATES: Final = {
    "pass": ("ok", N_("All is well")),
    "warn": ("warn", N_("Somebody should look")),
    "fail": ("bad", N_("It cannot do its work")),
}


class Card(msgspec.Struct):
    """One figure over the last day; `rows` are hours: time, lowest, mean, highest."""

    name: str
    title: str
    meaning: str
    now: str
    extent: str
    svg: Markup
    rows: list[tuple[str, str, str, str]]


class Day(NamedTuple):
    """The last day: the entity, its rows of history, and the times at which nobody was there."""

    entity: Any
    table: pa.Table
    names: dict[str, str]
    start: int
    end: int
    gaps: list[tuple[float, float]]


async def show(page: Page) -> Response:
    """The page."""
    engine: Any = page.site.engine
    page.tenant = None
    checks = ready(engine)
    status = worst(checks, engine.default_tenant)
    zone = str(engine.tenants[engine.default_tenant].city.zone)
    day = await _day(engine)
    groups = []
    for title, names in _GROUPS if day is not None else ():
        cards = [_card(page, day, name, zone) for name in names]
        groups.append((page.t(title), [card for card in cards if card is not None]))
    icon, word = _STATES[status]
    return page.render(
        "service.html",
        nav="service",
        state=(icon, page.t(word)),
        checks=[_told(page, check) for check in checks if check.status != "pass"],
        facts=_facts(page, engine),
        published=_published(page, engine, zone),
        groups=[(title, cards) for title, cards in groups if cards],
        zone=zone,
        recording=engine.settings.metrics.history,
    )


def _told(page: Page, check: Check) -> tuple[str, str, str, str]:
    """Icon, word, what, and what to do (as the health check has it, in English)."""
    icon, word = _STATES[check.status]
    what = f"{check.key} ({check.tenant})" if check.tenant else check.key
    return icon, page.t(word), what, redact(check.output)


def _facts(page: Page, engine: Any) -> list[tuple[str, str]]:
    t = page.t
    return [
        (t("Version"), __version__),
        (t("Up for"), t.duration(time.monotonic() - engine.started)),
        (t("Cities"), t.number(len(engine.tenants))),
    ]


def _published(page: Page, engine: Any, zone: str) -> list[tuple[str, str, str, str]]:
    """Cities whose indicators are published: name, period, when, and what became of it."""
    if engine.settings.indicators.publish == "off":
        return []
    t, now = page.t, engine.publishing
    rows = []
    if now is not None and now[0] in engine.tenants:
        name = said(engine.tenants[now[0]].city.name, t.language)
        told = t("%(done)s of %(total)s", done=t.number(now[2], 0), total=t.number(now[3], 0))
        rows.append((name, now[1], t("being computed"), told))
    for run in engine.publications.all():
        if run.city not in engine.tenants or not (run.published or run.problem):
            continue
        name = said(engine.tenants[run.city].city.name, t.language)
        told = redact(run.problem) or t(
            "%(published)s entities, %(without)s of them without enough data",
            published=t.number(run.published, 0),
            without=t.number(run.without, 0),
        )
        rows.append(
            (name, run.period, f"{t.date(run.at, zone, 'medium')}, {t.time(run.at, zone)}", told)
        )
    return rows[:_MOST_CITIES]


async def _day(engine: Any) -> Day | None:
    """What the history has of the last day; None before the first minute."""
    own = engine.tenant(SERVICE_TENANT)
    entity = own.context.get(service_id(engine.folder.identity))
    if entity is None:
        return None
    ld = await own.context.default_ld()
    names = {name: ld.expand_term(name) for name in (UPTIME, *(one.name for one in FIGURES))}
    end = time.time_ns() // 1000
    start = end - _DAY
    table = await own.history.series(entity.id, list(names.values()), start=start)
    seen = in_table(_rows_of(table, names[UPTIME]), entity, names[UPTIME], start)
    times = seen.times.tolist()
    gaps = [(float(a), float(b)) for a, b in pairwise(times) if b - a > _GAP]
    return Day(entity, table, names, start, end, gaps)


def _rows_of(table: pa.Table, iri: str) -> pa.Table:
    import pyarrow.compute as pc

    return table.filter(pc.equal(table.column("attr"), iri))


def _card(page: Page, day: Day | None, name: str, zone: str) -> Card | None:
    if day is None or day.names[name] not in day.entity.attrs:
        return None
    iri = day.names[name]
    series = in_table(_rows_of(day.table, iri), day.entity, iri, day.start)
    if not len(series):
        return None
    shown = _SHOWN[name]
    values = series.values * shown.factor
    figure = next(one for one in FIGURES if one.name == name)
    # "A minute" stands in the title already.
    unit = shown.unit or ("" if figure.unit == PER_MINUTE else symbol(figure.unit))

    def text(value: float) -> str:
        written = page.t.number(value, 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2)
        return f"{written}{_NO_BREAK}{unit}" if unit else written

    low, high = float(values.min()), float(values.max())
    title = page.t(shown.title)
    return Card(
        name=name,
        title=title,
        meaning=page.t(shown.meaning),
        now=text(float(values[-1])),
        extent=page.t("between %(low)s and %(high)s", low=text(low), high=text(high)),
        svg=_drawn(page, day, Series(series.times, values), f"{title}: {text(low)} – {text(high)}", zone)
        if high > low
        else Markup(),
        rows=_hours(page, series.times, values, text, zone),
    )  # fmt: skip


def _drawn(page: Page, day: Day, series: Series, title: str, zone: str) -> Markup:
    """The highest of each five minutes: what is rare and matters stays visible."""
    times, _, _, highest = thin(series.times, series.values, _POINTS)
    points = list(zip(times.astype(float).tolist(), highest.tolist(), strict=True))
    return plot.chart(
        points,
        title,
        x_label=lambda at: page.t.time(int(at), zone),
        y_label=lambda value: page.t.number(value, 2),
        width=340,
        height=170,
        span=(float(day.start), float(day.end)),
        gaps=day.gaps,
    )


def _hours(
    page: Page, times: Any, values: Any, text: Any, zone: str
) -> list[tuple[str, str, str, str]]:
    """Hours with values, the newest first."""
    hours = times // HOUR
    rows = []
    for hour in np.unique(hours)[::-1].tolist():
        within = values[hours == hour]
        rows.append(
            (
                page.t.time(hour * HOUR, zone),
                text(float(within.min())),
                text(float(within.mean())),
                text(float(within.max())),
            )
        )
    return rows


def routes(site: Site) -> Sequence[Route]:
    """`/service`."""
    return [site.plain("/service", show)]
