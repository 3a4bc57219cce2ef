"""`/compare`: the published indexes, the page of each, its downloads and its embedded form."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any, Final, NamedTuple

from starlette.responses import Response
from starlette.routing import Route

from rynek.base.errors import BadRequestData, ResourceNotFound
from rynek.indicators import Published, say
from rynek.web.compare import drawing
from rynek.web.compare.downloads import table
from rynek.web.compare.view import PAGE, View, read_weights
from rynek.web.compare.words import Words
from rynek.web.contract import said
from rynek.web.pages.shell import NotFound, Page, Site, city_path

__all__ = ["routes"]

_CHOICES: Final = ("imputation", "outliers", "normalisation", "weights", "aggregation")


def routes(site: Site) -> list[Route]:
    """The routes; the more particular first."""
    downloads = {
        "regions.csv": _groups_csv,
        "units.csv": _units_csv,
        "index.json": _json,
        "intervals.svg": _picture,
        "specification.toml": _specification,
        "values.json": _values,
        "embed": _embed,
    }
    return [
        site.plain("/compare", _list),
        *(
            site.plain(f"/compare/{{index}}/{name}", _answered(handler))
            for name, handler in downloads.items()
        ),
        site.plain("/compare/{index}", _answered(_show)),
    ]


class _Asked(NamedTuple):
    """A request for a published index, in a language."""

    page: Page
    published: Published
    words: Words


Answer = Callable[[_Asked], Response]


def _answered(handler: Answer) -> Callable[[Page], Awaitable[Response]]:
    async def answer(page: Page) -> Response:
        page.tenant = None
        comparisons = page.site.engine.comparisons
        version = page.request.query_params.get("version")
        if version is not None and not (
            version.isascii() and version.isdigit() and len(version) < 9
        ):
            return page.problem(400, say("version-number").text(page.language))
        name = page.request.path_params["index"]
        try:
            published = comparisons.find(name, None if version is None else int(version))
            return handler(_Asked(page, published, Words(page.t, published.found)))
        except ResourceNotFound:
            raise NotFound(page.t("There is no such comparison here.")) from None
        except BadRequestData as error:
            told = error.message
            return page.problem(400, told.text(page.language) if told else error.detail)

    return answer


def _kind(found: dict[str, Any]) -> str:
    """What is compared first: the groups, where there are several."""
    return "groups" if len(found["groups"]) > 1 else "units"


async def _list(page: Page) -> Response:
    page.tenant = None
    cards = []
    comparisons = page.site.engine.comparisons
    for kept in comparisons.newest():
        published = comparisons.find(kept.id, kept.version)
        words = Words(page.t, published.found)
        kind = _kind(published.found)
        cards.append(
            {
                "url": f"{page.root}/compare/{kept.id}",
                "name": words.said(published.found["name"]),
                "statement": words.said(published.found["statement"]),
                "ahead": words.ahead(kind),
                "units": page.t.number(len(published.found["units"]), 0),
                "groups": page.t.number(len(published.found["groups"]), 0),
                "computed": page.t.date(kept.at, "UTC", "medium"),
            }
        )
    profiles = sorted(
        (said(tenant.city.name, page.language), f"{page.root}{city_path(name)}/indicators")
        for name, tenant in page.tenants.items()
    )
    return page.render("compare.html", nav="compare", cards=cards, profiles=profiles)


def _show(asked: _Asked) -> Response:
    page, published, words = asked
    wish = page.request.query_params
    found = published.found
    weights = read_weights(wish.get("weights", ""), found) or _from_form(wish, found)
    view = View(published, words, weights)
    query, group = wish.get("q", "")[:100].strip(), wish.get("region", "")[:100]
    number = wish.get("page", "1")
    at = max(0, int(number) - 1) if number.isascii() and number.isdigit() and len(number) < 7 else 0
    units, many = view.units(query, group, at)
    kind = _kind(found)
    title = words.said(found["name"])
    groups = view.groups()
    return page.render(
        "compare_index.html",
        nav="compare",
        view=view,
        words=words,
        found=found,
        kept=published.kept,
        title=title,
        statement=words.said(found["statement"]),
        notes=[words.said(note) for note in found["notes"]],
        ahead=words.ahead(kind),
        kind=kind,
        groups=groups,
        groups_name=words.said(found["groups_name"]) or page.t("Regions"),
        units=units,
        units_many=many,
        at=at,
        last=max(0, (many - 1) // PAGE),
        query=query,
        group=group,
        weights=weights,
        weights_text=_weights_text(weights),
        sliders=view.sliders(),
        drawn=view.map(title),
        choices=_choices(words),
        variance=_variance(words),
        audit=_audit(words),
        left_out=_left_out(words),
        numbers=page.site.engine.comparisons.numbers(published.kept.id),
        here_path=f"{page.root}/compare/{published.kept.id}",
        public=f"{page.site.engine.public_url}/compare/{published.kept.id}",
        computed=page.t.date(published.kept.at, "UTC", "medium"),
    )


def _from_form(asked: Any, found: dict[str, Any]) -> dict[str, float] | None:
    """The form without scripts sends a field `w-…` for each indicator."""
    given = {key[2:]: value for key, value in asked.items() if key.startswith("w-") and value}
    if not given:
        return None
    return read_weights(",".join(f"{key}:{value}" for key, value in given.items()), found)


def _weights_text(weights: dict[str, float] | None) -> str:
    return ",".join(f"{key}:{value:g}" for key, value in (weights or {}).items())


def _choices(words: Words) -> list[tuple[str, str, str]]:
    method = words.found["method"]
    rows = []
    for name in _CHOICES:
        part = method[name]
        others = ", ".join(words.choice(one) for one in part["alternatives"])
        rows.append((words.factor(name), words.choice(part["choice"]), others))
    return rows


def _variance(words: Words) -> list[tuple[str, str, str, float]]:
    """Choices by what they explain: name, alone, in all, and the whole as a number up to 1."""
    told = words.found["variance"]
    if not told or not told["choices"]:
        return []
    rows = [
        (
            words.factor(name),
            _with_half(words, part["first"], part["first_half_width"]),
            _with_half(words, part["total"], part["total_half_width"]),
            min(1.0, max(0.0, part["total"])),
        )
        for name, part in told["choices"].items()
    ]
    return sorted(rows, key=lambda row: -row[3])


def _with_half(words: Words, value: float, half: float | None) -> str:
    number = words.t.number(round(100 * value, 0) + 0.0, 0)
    return f"{number} ± {words.t.number(round(100 * (half or 0), 0), 0)} %"


def _audit(words: Words) -> dict[str, Any]:
    audit = words.found["audit"]
    names = {one["id"]: words.said(one["name"]) for one in words.found["indicators"]}

    def pairs(key: str) -> list[str]:
        return [
            f"{names[one['indicators'][0]]} – {names[one['indicators'][1]]}"
            f" ({words.t.number(one['correlation'], 2).replace('-', '−')})"
            for one in audit[key]
        ]

    alpha = audit["cronbach_alpha"]
    return {
        "alpha": "" if alpha is None else words.t.number(alpha, 2),
        "enough": alpha is not None and alpha >= 0.7,
        "redundant": pairs("redundant_pairs"),
        "opposed": pairs("opposed_pairs"),
        "names": list(names.values()),
        "table": [
            (names[row], [words.t.number(cells[column], 2).replace("-", "−") for column in names])
            for row, cells in audit["correlations"].items()
        ],
    }


def _left_out(words: Words) -> list[tuple[str, list[str]]]:
    """The reasons why units have no rank, each with the units."""
    reasons: dict[str, list[str]] = {}
    for one in words.found["left_out"]:
        reasons.setdefault(words.reason(one), []).append(one["name"])
    return list(reasons.items())


def _groups_csv(asked: _Asked) -> Response:
    return _file(
        asked.published,
        "regions.csv",
        "text/csv",
        table(asked.published.found, "groups", asked.words.said),
    )


def _units_csv(asked: _Asked) -> Response:
    return _file(
        asked.published,
        "units.csv",
        "text/csv",
        table(asked.published.found, "units", asked.words.said),
    )


def _json(asked: _Asked) -> Response:
    body = json.dumps(asked.published.found, ensure_ascii=False)
    return _file(asked.published, "index.json", "application/json", body)


def _specification(asked: _Asked) -> Response:
    return _file(
        asked.published, "specification.toml", "application/toml", asked.published.specification
    )


def _picture(asked: _Asked) -> Response:
    """The intervals of the regions, or of the first forty units."""
    page, published, words = asked
    found = published.found
    kind = _kind(found)
    every = sorted(
        (one for one in found[kind] if one["rank"] is not None), key=lambda one: one["rank"]
    )[:40]
    rows = [(words.said(one["name"]), one) for one in every]
    note = page.t(
        "Thick: ranks over the variants; thin: with cities seen as a sample. No probabilities."
    )
    body = drawing.figure(words.said(found["name"]), rows, note)
    return _file(published, "intervals.svg", "image/svg+xml", body)


def _values(asked: _Asked) -> Response:
    """What the sliders need: values on one scale, the groups, and how they come together."""
    found = asked.published.found
    place = {one["id"]: n for n, one in enumerate(found["groups"])}
    body = {
        "indicators": [one["id"] for one in found["indicators"]],
        "normalisation": found["method"]["normalisation"]["choice"],
        "aggregation": found["method"]["aggregation"]["choice"],
        "groups": [one["id"] for one in found["groups"]],
        "group": [place.get(one["group"], -1) for one in found["units"]],
        "units": [one["id"] for one in found["units"]],
        "names": [one["name"] for one in found["units"]],
        "values": [one["values"] for one in found["units"]],
        "intervals": [one.get("rank_interval") for one in found["units"]],
        "weights": [one.get("weight", 1) for one in found["units"]],
    }
    return Response(
        json.dumps(body, ensure_ascii=False, separators=(",", ":")),
        media_type="application/json",
        headers={"Cache-Control": "private, no-cache"},
    )


def _file(published: Published, name: str, kind: str, body: str) -> Response:
    kept = published.kept
    file = f"{kept.id}-v{kept.version}-{name}"
    return Response(
        body, media_type=kind, headers={"Content-Disposition": f'attachment; filename="{file}"'}
    )


def _embed(asked: _Asked) -> Response:
    """The answer and the regions alone, for a frame in another site's page."""
    page, published, words = asked
    found = published.found
    view = View(published, words, None)
    kind = _kind(found)
    rows = view.groups() if kind == "groups" else view.units("", "", 0)[0]
    return page.render(
        "compare_embed.html",
        allow={"frame-ancestors": ["*"]},
        title=words.said(found["name"]),
        ahead=words.ahead(kind),
        rows=rows,
        url=f"{page.root}/compare/{published.kept.id}",
    )
