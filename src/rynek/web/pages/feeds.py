"""The health of every feed of a city: what came when, how much, what failed, what is odd."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Final

import msgspec
from markupsafe import Markup
from starlette.responses import Response
from starlette.routing import Route

from rynek.web.i18n import Translator
from rynek.web.pages import plot
from rynek.web.pages.findings import finding_text
from rynek.web.pages.shell import NotFound, Page, Site
from rynek.web.themes import THEMES

__all__ = ["STATES", "routes"]


def N_(message: str) -> str:  # noqa: N802 - gettext's customary name for "mark, don't translate"
    """Mark a message for the catalogues."""
    return message


STATES: Final[dict[str, tuple[str, str, str]]] = {
    "ok": ("ok", N_("Working"), ""),
    "starting": ("wait", N_("Starting"), N_("Its first data have not come yet.")),
    "stale": ("warn", N_("Out of date"), N_("It answers, but its newest reading is too old.")),
    "failing": ("bad", N_("Failing"), ""),
    "waiting": ("wait", N_("Waiting"), N_("Nobody has sent anything to it yet.")),
    "ended": ("off", N_("Ended"), N_("The recording has been played to its end.")),
    "disabled": ("off", N_("Switched off"), N_("It is switched off in the settings.")),
    "stopped": ("off", N_("Stopped"), N_("It does not run at the moment.")),
}
"""FeedHealth.state → icon, word, and what it means where the word does not say it."""


class Card(msgspec.Struct):
    """One feed, in words."""

    name: str
    anchor: str
    theme: str
    icon: str
    word: str
    meaning: str
    facts: list[tuple[str, str, str]]
    spark: Markup
    rate: str
    error: str
    error_since: str
    findings: list[tuple[str, str, str, str]]
    rejected: str
    rejected_example: str
    source: str
    origin: str


async def show(page: Page) -> Response:
    """The page."""
    if page.tenant is None:
        raise NotFound
    health = list(page.tenant.feeds.health())
    counts: dict[str, int] = {}
    for each in health:
        counts[each.state] = counts.get(each.state, 0) + 1
    order = list(STATES)
    summary = [
        (*STATES.get(state, ("wait", state, ""))[:2], page.t.number(count))
        for state, count in sorted(counts.items(), key=lambda pair: _place(order, pair[0]))
    ]
    return page.render(
        "feeds.html",
        nav="feeds",
        cards=[_card(page, each) for each in sorted(health, key=_urgency)],
        summary=[(icon, page.t(word), count) for icon, word, count in summary],
        total=len(health),
        clocks=_clocks(page) if health else "",
        history=_history(page),
    )


def _place(order: list[str], state: str) -> int:
    return order.index(state) if state in order else len(order)


def _urgency(health: Any) -> tuple[int, str]:
    rank = {"failing": 0, "stale": 1}
    return rank.get(health.state, 2), str(health.name)


def _card(page: Page, health: Any) -> Card:
    t = page.t
    icon, word, meaning = STATES.get(health.state, ("wait", health.state, ""))
    minutes = list(health.changes_per_minute)
    last_full = minutes[-2] if len(minutes) > 1 else 0
    theme = next((t(each.word) for each in THEMES if each.key == health.theme), "")
    return Card(
        name=health.name,
        anchor=health.name,
        theme=theme,
        icon=icon,
        word=t(word),
        meaning=t(meaning),
        facts=_facts(page, health),
        spark=plot.bars(minutes, _told(page, minutes), width=480, height=88),
        rate=t.n(
            "%(num)s change in the last minute", "%(num)s changes in the last minute", last_full
        ),
        error=_public(health, health.error or ""),
        error_since=_ago(page, health.error_since),
        findings=[
            (
                _severity(each.severity),
                t.number(each.count),
                finding_text(t, each.code),
                each.example,
            )
            for each in health.findings
        ],
        rejected=t.n("%(num)s entity refused", "%(num)s entities refused", health.rejected)
        if health.rejected
        else "",
        rejected_example=health.rejected_example,
        source=_public(health, health.source),
        origin=" · ".join(filter(None, (health.attribution or health.provider, health.licence))),
    )


def _public(health: Any, text: str) -> str:
    """`text` without the folders of a file that is read: visitors need not know them."""
    folder = health.source.rpartition("/")[0]
    return text.replace(folder + "/", "") if folder.startswith("/") else text


def _severity(severity: str) -> str:
    return {"error": "bad", "warning": "warn"}.get(severity, "wait")


def _told(page: Page, minutes: Sequence[int]) -> str:
    return page.t(
        "Changes per minute over the last hour: %(total)s in total, at most %(most)s in a minute",
        total=page.t.number(sum(minutes)),
        most=page.t.number(max(minutes, default=0)),
    )


def _ago(page: Page, micros: int | None) -> str:
    """How long ago by the machine's clock; feeds run on it, also those that replay."""
    if micros is None:
        return ""
    return page.t.age(time.time_ns() // 1000 - micros)


def _facts(page: Page, health: Any) -> list[tuple[str, str, str]]:
    """Label, words, exact time."""
    t = page.t
    never = t("not yet")
    newest, age = "", never
    if health.newest_reading is not None:
        newest = t.moment(health.newest_reading, page.zone)
        if hasattr(page.tenant.clock, "end"):
            newest = t("%(time)s in the recording", time=newest)
        age = t.age((health.now or page.tenant.clock.now()) - health.newest_reading)
    facts = [
        (
            t("Last success"),
            _ago(page, health.last_success) or never,
            _at(page, health.last_success),
        ),
        (t("Newest reading"), age, newest),
        (t("Records in the last poll"), t.number(health.records), ""),
        (t("Entities in the last poll"), t.number(health.entities), ""),
        (t("Polls since the start"), t.number(health.polls), ""),
    ]
    if health.errors:
        facts.append((t("Errors since the start"), t.number(health.errors), ""))
    if health.next_run is not None and health.state not in ("ended", "disabled", "stopped"):
        soon = health.next_run - time.time_ns() // 1000
        text = t("now") if soon < 1_000_000 else t.age(-soon)
        facts.append((t("Next poll"), text, _at(page, health.next_run)))
    return facts


def _clocks(page: Page) -> str:
    """Which times are told on which clock, where a recording has one of its own."""
    if not hasattr(page.tenant.clock, "end"):
        return ""
    return page.t(
        "Two clocks: polls are told in this service's own time (%(own)s), readings in that of the recording (%(then)s).",
        own=page.t.minute(time.time_ns() // 1000, page.zone),
        then=page.t.minute(page.tenant.clock.now(), page.zone),
    )


def _at(page: Page, micros: int | None) -> str:
    return page.t.moment(micros, page.zone) if micros is not None else ""


def _history(page: Page) -> dict[str, str] | None:
    stats = page.tenant.history.stats()
    t = page.t
    return {
        "rows": t.number(stats.rows),
        "size": _size(t, stats.bytes),
        "newest": t.moment(stats.newest, page.zone) if stats.newest is not None else "",
        "lag": t.number(stats.lag + stats.pending),
    }


def _size(t: Translator, count: int) -> str:
    for unit, bytes_ in (("GB", 1e9), ("MB", 1e6)):
        if count >= bytes_:
            return f"{t.number(count / bytes_, 1)} {unit}"
    return f"{t.number(count / 1e3, 0)} kB"


def routes(site: Site) -> Sequence[Route]:
    """`…/feeds`."""
    return site.city("/feeds", show)
