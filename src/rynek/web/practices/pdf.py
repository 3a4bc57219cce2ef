"""A practice card as PDF, made of what the page shows: fonts inside, six languages, no scripts."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final
from xml.sax.saxutils import escape

from starlette.responses import Response
from starlette.routing import Route

from rynek.base.errors import ResourceNotFound
from rynek.web.pages.practice import Effect, compared_of, describe, said_text
from rynek.web.pages.shell import NotFound, Page, Site

__all__ = ["document", "routes", "story"]

_FONTS: Final = Path(__file__).parent / "fonts"
# A card may have many pages; so many are made at a time, beside the loop.
_AT_ONCE: Final = asyncio.Semaphore(2)
_INK, _MUTED, _LINE, _SOFT = "#19242a", "#545f63", "#cfc9bb", "#f4f1e9"
# The last ones made, by what they were made of: a large card takes seconds.
_KEPT: Final = 32
_MADE: Final[dict[tuple[object, ...], bytes]] = {}
_Flowables = list[Any]


def routes(site: Site) -> Sequence[Route]:
    """`…/practices/<id>/card.pdf`."""
    return site.city("/practices/{card}/card.pdf", _show)


async def _show(page: Page) -> Response:
    cards = page.site.engine.cards  # type: ignore[attr-defined]
    card_id = page.request.path_params["card"]
    try:
        seen = await asyncio.to_thread(cards.get, card_id, page.viewer)
        versions = await asyncio.to_thread(cards.versions, card_id, page.viewer)
    except ResourceNotFound:
        raise NotFound(page.t("There is no such practice card here.")) from None
    answers = await asyncio.to_thread(cards.answered, seen)
    numbers = tuple((key, one.number) for key, one in answers.items())
    alike = await compared_of(page, seen)
    # Who may write a nameless card sees more of it than others.
    seen_as = (page.viewer.edits(seen.owner), seen.owner, page.language)
    known = (seen.id, seen.seq, *seen_as, numbers, repr(alike))
    async with _AT_ONCE:
        body = _MADE.get(known)
        if body is None:
            told = describe(page, seen, answers, versions, alike)
            body = await asyncio.to_thread(document, page, told)
            while len(_MADE) >= _KEPT:
                del _MADE[next(iter(_MADE))]
            _MADE[known] = body
    headers = {
        "Content-Disposition": f'inline; filename="{seen.id}-{page.language}.pdf"',
        "Cache-Control": "private, no-cache",
        "Content-Language": page.language,
    }
    return Response(body, media_type="application/pdf", headers=headers)


def document(page: Page, told: dict[str, Any]) -> bytes:
    """A4 pages of a card as `describe` tells it."""
    from reportlab.lib.pagesizes import A4
    from reportlab.lib.units import mm
    from reportlab.platypus import SimpleDocTemplate

    target = io.BytesIO()
    template = SimpleDocTemplate(
        target,
        pagesize=A4,
        leftMargin=20 * mm,
        rightMargin=20 * mm,
        topMargin=18 * mm,
        bottomMargin=20 * mm,
        title=told["title"],
        author="rynek",
        lang=page.language,
        invariant=1,
    )
    foot = f"{told['title'][:70]} · {page.t('Version %(number)s', number=told['seen'].written.version)}"

    def footer(canvas: Any, inner: Any) -> None:
        canvas.setFont("DejaVuSans", 7.5)
        canvas.setFillColor(_MUTED)
        canvas.drawString(20 * mm, 12 * mm, foot)
        canvas.drawRightString(A4[0] - 20 * mm, 12 * mm, str(inner.page))

    template.build(story(page, told, template.width), onFirstPage=footer, onLaterPages=footer)
    return target.getvalue()


def story(page: Page, told: dict[str, Any], width: float) -> _Flowables:
    """Every part of the document in its order; `width` of the text in points."""
    t, card, styles = page.t, told["card"], _styles()
    verdict = told["verdict"]
    line = " · ".join((told["theme_word"], told["cluster"], told["city_line"], told["state"]))
    parts = [
        _text(line, styles["muted"]),
        _text(told["title"], styles["title"]),
        _text(said_text(page, card.summary), styles["body"]),
        _boxed(
            [
                _text(t(verdict.word), styles["strong"]),
                _text(said_text(page, card.verdict.reason), styles["body"]),
            ],
            width,
        ),
    ]
    parts += _accounts(page, told, width)
    parts += _done(page, told, width)
    parts += _costs(page, told, width)
    parts.append(_text(t("What the data can and can’t say"), styles["head"]))
    parts.append(_text(said_text(page, card.limits), styles["body"]))
    if not told["effects"]:
        parts.append(_text(t("No effect is estimated."), styles["muted"]))
    for effect in told["effects"]:
        parts += _effect(page, effect, width)
    if card.to_know:
        parts.append(_text(t("What would have to be done to know"), styles["head"]))
        parts.append(_text(said_text(page, card.to_know), styles["body"]))
    parts += _lists(page, told)
    return parts


def _accounts(page: Page, told: dict[str, Any], width: float) -> _Flowables:
    styles = _styles()
    columns = []
    for each in told["accounts"]:
        cell = [_text(each["title"], styles["strong"]), _text(each["text"], styles["body"])]
        cell += [_claim(claim) for claim in each["claims"]]
        columns.append(cell)
    made = []
    if columns:
        made.append(_text(page.t("The same thing, told in different ways"), styles["head"]))
        made += [_side_by_side(columns[at : at + 2], width) for at in range(0, len(columns), 2)]
    if told["claims"]:
        made.append(_text(page.t("Who claims what"), styles["head"]))
        made += [_claim(claim) for claim in told["claims"]]
    return made


def _claim(claim: dict[str, Any]) -> Any:
    source = f" · {claim['source'].title}" if claim["source"] else ""
    date = f", {claim['date']}" if claim["date"] else ""
    size = f"<b>{escape(claim['size'])}</b> " if claim["size"] else ""
    said = f"{size}{escape(claim['effect'])} ({escape(claim['who'] + date + source)})"
    return _markup(said, _styles()["body"])


def _done(page: Page, told: dict[str, Any], width: float) -> _Flowables:
    t, card, styles = page.t, told["card"], _styles()
    made = [_text(t("What was done"), styles["head"])]
    facts = [
        (t("The problem"), said_text(page, card.problem)),
        (t("Done"), said_text(page, card.done)),
        (t("Where"), ", ".join(each.name for each in card.places)),
        (t("Technology"), ", ".join(card.technology)),
        (t("Partners"), ", ".join(card.partners)),
    ]
    made += [
        _markup(f"<b>{escape(label)}:</b> {escape(text)}", styles["body"])
        for label, text in facts
        if text
    ]
    if card.phases:
        rows = [[t("When"), t("What"), t("How many"), t("Source")]]
        for each in card.phases:
            end = f" – {told['when'](each.end)}" if each.end else ""
            many = f"{t.number(each.units)} {said_text(page, each.unit)}" if each.units else ""
            source = each.source.title if each.source else ""
            rows.append([told["when"](each.start) + end, said_text(page, each.title), many, source])
        made.append(_table(rows, [0.2, 0.42, 0.2, 0.18], width))
    return made


def _costs(page: Page, told: dict[str, Any], width: float) -> _Flowables:
    if not told["costs"]:
        return []
    t, styles = page.t, _styles()
    rows = [[t("What for"), t("Amount"), t("Per"), t("Prices of"), t("Source")]]
    for each in told["costs"]:
        source = each["source"].title if each["source"] else ""
        amount = " ".join(filter(None, (each["amount"], each["compared"])))
        rows.append([each["what"], amount, each["per"], each["year"], source])
    return [
        _text(t("Costs"), styles["head"]),
        _table(rows, [0.3, 0.18, 0.22, 0.12, 0.18], width),
        _text(told["costs_note"], styles["muted"]),
    ]


def _effect(page: Page, effect: Effect, width: float) -> _Flowables:
    from reportlab.platypus import KeepTogether

    styles = _styles()
    made = [_text(effect.title, styles["sub"]), _text(effect.sentence, styles["strong"])]
    if effect.series is not None:
        made.append(_drawn(page, effect, width))
    made += [
        _markup(f"{escape(label)}: {escape(said.text)}", styles["small"])
        for label, said in effect.facts
    ]
    others = "; ".join(f"{name}: {said.text}" for name, said in effect.others)
    if others:
        made.append(_text(f"{page.t('What other designs give')}: {others}", styles["small"]))
    failed = [
        f"{each.name.text}: {each.reason.text}" for each in effect.checks if each.shape == "bad"
    ]
    if failed:
        made.append(_text(page.t("Failed checks") + ": " + "; ".join(failed), styles["small"]))
    return [KeepTogether(made[:3]), *made[3:]]


def _drawn(page: Page, effect: Effect, width: float) -> Any:
    """The chart of the page, with the same lines."""
    from reportlab.graphics.shapes import Drawing, Line, PolyLine, String

    from rynek.web.pages.plot import ticks

    assert effect.series is not None
    observed, expected, labels, start = effect.series
    height, left, bottom = 150.0, 36.0, 16.0
    values = [each for each in (*observed, *expected) if each is not None]
    marks = ticks(min(*values, 0.0), max(values))
    drawing = Drawing(width, height)

    def at(index: int) -> float:
        return left + (width - left - 4) * index / max(1, len(labels) - 1)

    def up(value: float) -> float:
        return bottom + (height - bottom - 6) * (value - marks[0]) / (marks[-1] - marks[0])

    for mark in marks:
        drawing.add(
            Line(left, up(mark), width - 4, up(mark), strokeColor=_colour(_LINE), strokeWidth=0.4)
        )
        drawing.add(_label(String, left - 4, up(mark) - 2.5, page.t.number(mark), "end"))
    for index, anchor in ((0, "start"), (start, "middle"), (len(labels) - 1, "end")):
        if index < len(labels):
            drawing.add(_label(String, at(index), 3, labels[index], anchor))
    if 0 < start < len(labels):
        x = (at(start) + at(start - 1)) / 2
        drawing.add(
            Line(
                x,
                bottom,
                x,
                height - 2,
                strokeColor=_colour(_INK),
                strokeWidth=0.6,
                strokeDashArray=[1, 2],
            )
        )
    for points, colour, dash in ((expected, "#b4472b", [4, 3]), (observed, "#0a6a75", None)):
        flat = [c for i, v in enumerate(points) if v is not None for c in (at(i), up(v))]
        drawing.add(
            PolyLine(flat, strokeColor=_colour(colour), strokeWidth=1.1, strokeDashArray=dash)
        )
    told = f"{page.t('observed')} ———   {page.t('expected without it')} – – –   {effect.unit}"
    drawing.add(_label(String, left + 4, height - 8, told, "start"))
    return drawing


def _label(shape: Any, x: float, y: float, text: str, anchor: str) -> Any:
    return shape(
        x, y, text, fontName="DejaVuSans", fontSize=7, fillColor=_colour(_MUTED), textAnchor=anchor
    )


def _lists(page: Page, told: dict[str, Any]) -> _Flowables:
    t, card, styles = page.t, told["card"], _styles()
    parts = [
        (t("Barriers"), [f"{kind}. {text}" for kind, text, _ in told["barriers"]]),
        (t("Lessons"), [said_text(page, each) for each in card.lessons]),
        (t("Conditions of transfer"), [said_text(page, each) for each in card.conditions]),
        (t("Facts"), [said_text(page, each.text) for each in card.facts]),
        (t("Sources"), [_source(each) for each in told["sources"]]),
    ]
    made = []
    for title, lines in parts:
        if lines:
            made.append(_text(title, styles["head"]))
            made += [_text(f"•  {line}", styles["body"]) for line in lines]
    return made


def _source(source: Any) -> str:
    parts = (source.title, source.date if source.date not in source.title else "", source.url)
    return ", ".join(part for part in parts if part)


def _boxed(cell: _Flowables, width: float) -> Any:
    return _side_by_side([cell], width)


def _side_by_side(columns: list[_Flowables], width: float) -> Any:
    """Cells beside each other; one that is longer than a page goes on on the next."""
    from reportlab.platypus import Table

    rows = max(len(column) for column in columns)
    cells = [
        [column[row] if row < len(column) else "" for column in columns] for row in range(rows)
    ]
    table = Table(
        cells,
        colWidths=[width / len(columns)] * len(columns),
        spaceBefore=6,
        spaceAfter=6,
        splitInRow=1,
    )
    table.setStyle(
        [
            ("VALIGN", (0, 0), (-1, -1), "TOP"),
            ("BACKGROUND", (0, 0), (-1, -1), _colour(_SOFT)),
            ("LINEAFTER", (0, 0), (-2, -1), 0.6, _colour(_LINE)),
        ]
    )
    return table


def _table(rows: list[list[str]], shares: list[float], width: float) -> Any:
    from reportlab.platypus import Table

    styles = _styles()
    cells = [
        [_text(each, styles["small" if row else "muted"]) for each in line]
        for row, line in enumerate(rows)
    ]
    table = Table(cells, colWidths=[share * width for share in shares], spaceBefore=4, splitInRow=1)
    table.setStyle(
        [
            ("VALIGN", (0, 0), (-1, -1), "TOP"),
            ("LINEBELOW", (0, 0), (-1, -1), 0.4, _colour(_LINE)),
            ("LEFTPADDING", (0, 0), (-1, -1), 0),
        ]
    )
    return table


def _text(text: str, style: Any) -> Any:
    return _markup(escape(text), style)


def _markup(text: str, style: Any) -> Any:
    from reportlab.platypus import Paragraph

    return Paragraph(text, style)


def _colour(code: str) -> Any:
    from reportlab.lib.colors import HexColor

    return HexColor(code)


@cache
def _styles() -> dict[str, Any]:
    from reportlab.lib.styles import ParagraphStyle
    from reportlab.pdfbase.pdfmetrics import registerFont, registerFontFamily
    from reportlab.pdfbase.ttfonts import TTFont

    registerFont(TTFont("DejaVuSans", str(_FONTS / "DejaVuSans.ttf")))
    registerFont(TTFont("DejaVuSans-Bold", str(_FONTS / "DejaVuSans-Bold.ttf")))
    registerFontFamily(
        "DejaVuSans",
        normal="DejaVuSans",
        bold="DejaVuSans-Bold",
        italic="DejaVuSans",
        boldItalic="DejaVuSans-Bold",
    )
    body = ParagraphStyle(
        "body", fontName="DejaVuSans", fontSize=9, leading=13, textColor=_INK, spaceAfter=4
    )
    bold = ParagraphStyle("strong", parent=body, fontName="DejaVuSans-Bold")
    return {
        "body": body,
        "strong": bold,
        "small": ParagraphStyle("small", parent=body, fontSize=8, leading=11, spaceAfter=2),
        "muted": ParagraphStyle("muted", parent=body, fontSize=8, leading=11, textColor=_MUTED),
        "title": ParagraphStyle("title", parent=bold, fontSize=18, leading=22, spaceAfter=6),
        "head": ParagraphStyle(
            "head", parent=bold, fontSize=12, leading=16, spaceBefore=10, keepWithNext=1
        ),
        "sub": ParagraphStyle(
            "sub", parent=bold, fontSize=10, leading=14, spaceBefore=6, keepWithNext=1
        ),
    }
