"""`/practices/<id>`: a card, with both accounts, costs, claims, and effects with what they rest on."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
from markupsafe import Markup
from starlette.responses import Response

from rynek.base.clock import to_iso
from rynek.base.errors import ResourceNotFound
from rynek.base.messages import Message
from rynek.practices import LOWERING, share_of_logs
from rynek.practices.cards import (
    Card,
    Compared,
    Question,
    Result,
    Seen,
    Written,
    compared_costs,
)
from rynek.web.contract import said
from rynek.web.pages import practice_words as words
from rynek.web.pages.again import attempts_of, computed_again
from rynek.web.pages.called import places_called
from rynek.web.pages.compared import compared
from rynek.web.pages.reasons import Checked, Reasons, Said
from rynek.web.pages.shell import NotFound, Page

__all__ = [
    "Effect",
    "compared_of",
    "describe",
    "effect_from",
    "effects_of",
    "figures",
    "said_text",
    "show",
]

_MAX_ROWS: Final = 400
_MAX_POINTS: Final = 4000
_LEAST_P: Final = 0.001


class Effect(msgspec.Struct):
    """An answered question in words and figures."""

    key: str
    title: str
    note: str
    sentence: str
    refused: bool
    facts: list[tuple[str, Said]] = []
    chart: Markup = Markup()
    series: tuple[list[float | None], list[float | None], list[str], int] | None = None
    unit: str = ""
    rows: list[tuple[str, str, str, str]] = []
    checks: list[Checked] = []
    left_out: list[tuple[str, Said]] = []
    others: list[tuple[str, Said]] = []
    made: str = ""


async def show(page: Page) -> Response:
    """The card; an earlier version with `?version=`."""
    cards = page.site.engine.cards  # type: ignore[attr-defined]
    card_id, wanted = page.request.path_params["card"], page.param("version")
    version = int(wanted) if wanted.isascii() and wanted.isdecimal() and len(wanted) < 9 else None
    try:
        seen = await asyncio.to_thread(cards.get, card_id, page.viewer, version)
        versions = await asyncio.to_thread(cards.versions, card_id, page.viewer)
    except ResourceNotFound:
        raise NotFound(page.t("There is no such practice card here.")) from None
    answers = await asyncio.to_thread(cards.answered, seen)
    return page.render(
        "practice.html",
        nav="practices",
        **describe(page, seen, answers, versions, await compared_of(page, seen)),
        again=computed_again(page, seen, await asyncio.to_thread(attempts_of, page, seen), answers),
    )


async def compared_of(page: Page, seen: Seen) -> list[Compared | Message] | None:
    """A card's costs at the EU's price level, or why not; None without tables of prices."""
    engine: Any = page.site.engine
    now = engine.clock.now()
    return await asyncio.to_thread(compared_costs, seen.card, engine.references, now)


def describe(
    page: Page,
    seen: Seen,
    answers: dict[str, Result],
    versions: list[Written],
    alike: list[Compared | Message] | None = None,
) -> dict[str, Any]:
    """What the template shows of a card."""
    card, t = seen.card, page.t
    newest = versions[0].version
    return {
        "seen": seen,
        "card": card,
        "title": said_text(page, card.title),
        "verdict": words.VERDICTS[card.verdict.outcome],
        "theme_word": words.theme_word(t, card.theme),
        "cluster": t(words.CLUSTERS[card.cluster]),
        "state": t(words.STATUSES[card.status]),
        "city_line": words.city_of(t, card),
        "told": lambda text: said_text(page, text),
        "when": lambda text: words.date_of(t, text),
        "figure": t.number,
        "accounts": _accounts(page, card),
        "claims": [_claim(page, each) for each in card.claims if not each.account],
        "costs": words.cost_lines(t, card, alike),
        "costs_note": words.costs_note(t, alike),
        "barriers": [
            (t(words.BARRIERS[each.kind]), said_text(page, each.text), each.source)
            for each in card.barriers
        ],
        "effects": effects_of(
            page,
            card,
            answers,
            places_called(page, seen.owner, [one.document for one in answers.values()]),
        ),
        "sources": _sources(card),
        "versions": [_version(page, each) for each in versions],
        "old": seen.written.version != newest,
        "edits": page.viewer.edits(seen.owner),
        "door": t(words.DOORS[seen.door]),
        "changed": t.moment(seen.written.at, page.zone, "medium"),
        "changed_iso": to_iso(seen.written.at),
        "api": f"{page.root}/api/practices/v1/cards/{seen.id}",
        "here_card": f"{page.base or page.root}/practices/{seen.id}",
        "all_cards": f"{page.base or page.root}/practices",
    }


def said_text(page: Page, text: Any) -> str:
    """A card's text in the page's language, or in one that it has."""
    return said(text, page.language) if text else ""


def _accounts(page: Page, card: Card) -> list[dict[str, Any]]:
    return [
        {
            "key": each.key,
            "title": said_text(page, each.title),
            "text": said_text(page, each.text),
            "claims": [_claim(page, one) for one in card.claims if one.account == each.key],
        }
        for each in card.accounts
    ]


def _claim(page: Page, claim: Any) -> dict[str, Any]:
    size = ""
    if claim.size is not None:
        size = f"{page.t.number(claim.size).replace('-', '−')} {claim.unit}".strip()
    return {
        "who": said_text(page, claim.who),
        "effect": said_text(page, claim.effect),
        "size": size,
        "date": words.date_of(page.t, claim.date),
        "source": claim.source,
    }


def _sources(card: Card) -> list[Any]:
    """Every source of the card once, in the order in which they are named."""
    parts: list[Any] = [
        *card.phases,
        *card.costs,
        *card.funding,
        *card.claims,
        *card.facts,
        *card.barriers,
    ]
    found = {each.source: None for each in parts if each.source is not None and each.source.title}
    return list(dict.fromkeys([*found, *card.sources]))


def _version(page: Page, each: Written) -> dict[str, str | bool]:
    return {
        "number": str(each.version),
        "at": page.t.moment(each.at, page.zone, "medium"),
        "who": each.who,
        "note": page.t("the words of version %(number)s again", number=each.earlier)
        if each.earlier
        else each.note,
        "removed": each.removed,
    }


def effects_of(
    page: Page, card: Card, answers: dict[str, Result], called: Mapping[str, str] | None = None
) -> list[Effect]:
    """Each question of the card with its answer; without one where none was computed. `called`:
    how places are called by their ids."""
    return [_effect(page, each, answers.get(each.key), called) for each in card.questions]


def _effect(
    page: Page, question: Question, answer: Result | None, called: Mapping[str, str] | None
) -> Effect:
    t = page.t
    title, note = said_text(page, question.title), said_text(page, question.note)
    if answer is None:
        return Effect(question.key, title, note, t("Not computed yet."), refused=True)
    made = t(
        "Answer %(number)s, computed %(at)s by rynek %(rynek)s from files with the sum %(sum)s",
        number=answer.number,
        at=t.date(answer.at, page.zone, "medium"),
        rynek=answer.rynek,
        sum=answer.input[:12],
    )
    return effect_from(page, question.key, title, note, answer.document, made, called)


def effect_from(
    page: Page,
    key: str,
    title: str,
    note: str,
    found: dict[str, Any],
    made: str,
    called: Mapping[str, str] | None = None,
) -> Effect:
    """An evaluation's document in words, with its chart; `made` says where it comes from, `called`
    how places are called by their ids."""
    reasons = Reasons(page, called)
    series = _series(found, reasons)
    return Effect(
        key=key,
        title=title,
        note=note,
        sentence=(found.get("sentences") or {}).get(page.language) or found["sentence"],
        refused=False,
        facts=_facts(page, found, reasons),
        chart=_chart(page, title, series) if series else Markup(),
        series=series,
        unit=str(found.get("outcome_unit") or ""),
        rows=_rows(page, found, reasons),
        checks=[reasons.check(each, LOWERING) for each in found["checks"]],
        left_out=reasons.left_out(found),
        others=[_other(page, found, one, reasons) for one in found.get("alternatives") or ()],
        made=made,
    )


def _other(
    page: Page, found: dict[str, Any], other: dict[str, Any], reasons: Reasons
) -> tuple[str, Said]:
    """What another design gives for the same question, or why it cannot be used."""
    called = words.DESIGNS[other["design"]]
    name = page.t(called)
    if "effect" not in other:
        return name, reasons.of(other.get("message"), other.get("refused"))
    logs = found.get("transform") == "log"
    share = 100 * share_of_logs(other["effect"]) if logs else None
    told = found | {"effect": other["effect"], "effect_percent": share}
    parts = [_effect_words(page, told)]
    if other.get("interval") is not None:
        parts.append(_interval(page, told, other["interval"]))
    if other.get("p_value") is not None:
        parts.append(f"p {_p_words(page, other['p_value'])}")
    return name, Said("; ".join(parts))


def _p_words(page: Page, p_value: float) -> str:
    return f"< {page.t.number(_LEAST_P)}" if p_value < _LEAST_P else page.t.number(p_value, 3)


def _facts(page: Page, found: dict[str, Any], reasons: Reasons) -> list[tuple[str, Said]]:
    t, kept = page.t, found.get("messages") or {}
    why = reasons.of(kept.get("why"), found.get("why"))
    design = words.DESIGNS[found["design"]]
    facts = [(t("Design"), Said(t(design)))]
    if why.text:
        facts.append((t("Why this design"), why))
    facts.append((t("Size of the effect"), Said(_effect_words(page, found))))
    interval = found.get("interval")
    if interval is not None:
        facts.append((t("Interval"), Said(_interval(page, found, interval))))
    elif unsure := reasons.of(kept.get("uncertainty"), found.get("uncertainty")).text:
        facts.append((t("Interval"), Said(f"{t('none')}: {unsure}")))
    else:
        facts.append((t("Interval"), Said(t("none: there is too little to compare with"))))
    if found.get("p_value") is not None:
        facts.append((t("p-value"), Said(_p_words(page, found["p_value"]))))
    level = reasons.of(kept.get("level_reason"), found.get("level_reason"))
    told = t("%(level)s of 5", level=found["level"])
    facts.append((t("Evidence level"), Said(f"{told}: {level.text}" if level.text else told)))
    facts.append(
        (
            t("What would lift the level"),
            reasons.of(kept.get("would_lift"), found.get("would_lift")),
        )
    )
    donors = ", ".join(reasons.called.get(one, one) for one in found.get("donors") or ())
    facts.append((t("Compared with"), Said(donors)))
    return [(label, said) for label, said in facts if said.text]


def _effect_words(page: Page, found: dict[str, Any]) -> str:
    percent = found.get("effect_percent")
    share = f"{_signed(page, percent, 1)} %" if percent is not None else ""
    if found.get("transform") == "log":
        return share
    unit = found.get("outcome_unit") or ""
    size = f"{_signed(page, found['effect'])} {unit}".strip()
    return f"{size} ({share})" if share else size


def _interval(page: Page, found: dict[str, Any], interval: list[float]) -> str:
    unit = found.get("outcome_unit") or ""
    if found.get("transform") == "log":
        low, high = (100 * share_of_logs(each) for each in interval)
        text = f"{_signed(page, low, 1)} % … {_signed(page, high, 1)} %"
    else:
        text = f"{_signed(page, interval[0])} … {_signed(page, interval[1])} {unit}".strip()
    return f"{text} ({page.t.percent(found.get('confidence') or 0.95)})"


def figures(page: Page, value: float) -> str:
    """A number with three significant figures; whole ones are not rounded."""
    return page.t.number(value, _digits([value]))


def _digits(values: Sequence[float]) -> int:
    """The decimals that give the largest of some values three significant figures."""
    largest = max((abs(one) for one in values if math.isfinite(one)), default=0.0)
    return min(12, max(0, 2 - math.floor(math.log10(largest)))) if largest else 0


def _signed(page: Page, value: float, digits: int | None = None) -> str:
    mark = "−" if value < 0 else "+" if value > 0 else ""
    return mark + page.t.number(abs(value), _digits([value]) if digits is None else digits)


def _level(found: dict[str, Any], value: float | None) -> float | None:
    """A value as it was measured, also where logarithms were computed with."""
    if value is None or found.get("transform") != "log":
        return value
    return math.exp(value) if value < 700 else None


_Series = tuple[list[float | None], list[float | None], list[str], int]


def _series(found: dict[str, Any], reasons: Reasons) -> _Series | None:
    """What was observed and expected in each period, and the first with the practice."""
    rows = found.get("effects") or []
    if not 1 < len(rows) <= _MAX_POINTS:
        return None
    observed = [_level(found, row["observed"]) for row in rows]
    expected = [_level(found, row["expected"]) for row in rows]
    start = next((index for index, row in enumerate(rows) if row["treated"]), len(rows))
    if not any(each is not None for each in (*observed, *expected)):
        return None
    return observed, expected, [reasons.period(row["period"]) for row in rows], start


def _chart(page: Page, title: str, series: _Series) -> Markup:
    named = page.t("%(title)s: observed, and what would have been expected", title=title)
    return compared(*series, named, number=page.t.number)


def _rows(page: Page, found: dict[str, Any], reasons: Reasons) -> list[tuple[str, str, str, str]]:
    """The periods from the start on: observed, expected, effect; the newest of very many."""
    rows = [row for row in found.get("effects") or [] if row["treated"]][-_MAX_ROWS:]
    told = [
        (row["period"], observed, expected)
        for row in rows
        if (observed := _level(found, row["observed"])) is not None
        and (expected := _level(found, row["expected"])) is not None
    ]
    digits = _digits([one for _, *both in told for one in both])
    return [
        (
            reasons.period(period),
            page.t.number(observed, digits, fixed=True),
            page.t.number(expected, digits, fixed=True),
            page.t.signed(observed - expected, digits),
        )
        for period, observed, expected in told
    ]
