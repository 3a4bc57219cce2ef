"""The page of one entity: what it is now, over time, where, from whom, and as data."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import quote, urlencode

import msgspec
import numpy as np
from markupsafe import Markup
from starlette.responses import Response
from starlette.routing import Route

from rynek.base.clock import MICRO
from rynek.base.units import symbol
from rynek.context import LOCATION, Entity, Instance
from rynek.web.i18n import Translator
from rynek.web.pages import labels, plot
from rynek.web.pages.document import document
from rynek.web.pages.locator import locator
from rynek.web.pages.map import hubs_of
from rynek.web.pages.series import RANGES, Series, readings, thin
from rynek.web.pages.shell import NotFound, Page, Site, entity_path, licence_text
from rynek.web.pages.values import as_number, moment, place_of, short, title_of, written
from rynek.web.themes import RULES

__all__ = ["routes"]

_ORIGIN: Final = ("dataProvider", "source", "feed", "provider", "license", "licence", "seeAlso")
_HIDDEN: Final = frozenset({"name", "stationName", "stopName", "location", *_ORIGIN})
_RELATED: Final = 60
_LATEST: Final = 12
_DRAWN: Final = 300


class Row(msgspec.Struct):
    """One current value, in words."""

    label: str
    attr: str
    kind: str
    text: str
    subs: list[str]
    dataset: str = ""
    iso: str = ""
    at: str = ""
    age: str = ""


class Link(msgspec.Struct):
    """Another entity: its name, and its page when it is held here."""

    name: str
    url: str = ""


async def show(page: Page) -> Response:
    """The whole page; 404 where there is no such entity."""
    entity_id = page.request.path_params["entity_id"]
    entity = page.tenant.context.get(entity_id) if page.tenant else None
    if entity is None:
        raise NotFound(page.t("There is nothing with the identifier %(id)s here.", id=entity_id))
    chart, source = await _chart(page, entity)
    previous, following = _neighbours(page, entity)
    path = f"/ngsi-ld/v1/entities/{quote(entity.id, safe=':')}"
    return page.render(
        "entity.html",
        nav="list",
        name=title_of(page.t, entity),
        entity_id=entity.id,
        types=[(short(iri), labels.type_name(page.t, short(iri))) for iri in entity.types],
        seen=_seen(page, entity),
        values=_values(page, entity),
        chart=chart,
        place=_place(page, entity),
        relations=_relations(page, entity),
        origin=_origin(page, entity, source),
        raw=document(page.tenant.context.row(entity.id)),
        api_url=page.root + path,
        curl=_curl(page, path),
        previous=previous,
        following=following,
    )


def _age(page: Page, iso: str | None) -> tuple[str, str]:
    at = moment(iso)
    if at is None:
        return "", ""
    return page.t.moment(at, page.zone), page.t.age(page.tenant.clock.now() - at)


def _seen(page: Page, entity: Entity) -> str:
    times = [i.observed_at for instances in entity.attrs.values() for i in instances]
    newest = max((at for at in map(moment, times) if at is not None), default=None)
    if newest is None:
        return ""
    return page.t("Last observed %(age)s", age=page.t.age(page.tenant.clock.now() - newest))


def _values(page: Page, entity: Entity) -> list[Row]:
    rows = []
    for iri, instances in entity.attrs.items():
        attr = short(iri)
        if attr in _HIDDEN:
            continue
        for instance in instances:
            if instance.kind in ("Relationship", "ListRelationship"):
                continue
            rows.append(_row(page, attr, instance))
    spoken = {row.attr: index for index, row in enumerate(rows)}
    first = {name: i for i, name in enumerate(_spoken(entity))}
    return sorted(rows, key=lambda row: (first.get(row.attr, 99), spoken[row.attr]))


def _row(page: Page, attr: str, instance: Instance) -> Row:
    at, age = _age(page, instance.observed_at)
    subs = [
        f"{labels.attribute(page.t, short(iri))}: {written(page.t, each, page.zone)}"
        for iri, group in (instance.subs or {}).items()
        for each in group[:3]
    ]
    return Row(
        label=labels.attribute(page.t, attr),
        attr=attr,
        kind=labels.kind(page.t, instance.kind),
        text=written(page.t, instance, page.zone),
        subs=subs[:8],
        dataset=short(instance.dataset_id) if instance.dataset_id else "",
        iso=instance.observed_at or "",
        at=at,
        age=age,
    )


def _spoken(entity: Entity) -> list[str]:
    """The attributes that say most about an entity of this type, as the map sees it."""
    names: list[str] = []
    for iri in entity.types:
        rule = RULES.get(short(iri))
        if rule is not None:
            names += [*rule.number, *rule.level, *rule.total]
    return names


def _drawable(entity: Entity) -> list[str]:
    """IRIs of attributes that are numbers now; those that matter most come first."""
    found = []
    for iri in entity.attrs:
        instance = entity.default(iri)
        if instance is None or instance.kind != "Property":
            continue
        if as_number(instance.value) is not None:
            found.append(iri)
    order = {name: i for i, name in enumerate(_spoken(entity))}
    return sorted(found, key=lambda iri: order.get(short(iri), 99))


async def _chart(page: Page, entity: Entity) -> tuple[dict[str, Any], str | None]:
    drawable = _drawable(entity)
    by_name = {short(iri): iri for iri in drawable}
    if not by_name:
        return {"attr": "", "attrs": []}, None
    attr = page.param("attr")
    attr = attr if attr in by_name else next(iter(by_name))
    series, chosen = await _in_range(page, entity, by_name[attr])
    instance = entity.default(by_name[attr])
    unit = symbol(instance.unit_code) if instance is not None and instance.unit_code else ""
    label = labels.attribute(page.t, attr) + (f" ({unit})" if unit else "")
    base = entity_path(page.base, entity.id)
    chart = {
        "attr": attr,
        "label": label,
        "units": json.dumps(_units(entity, by_name)),
        "attrs": [(name, labels.attribute(page.t, name)) for name in list(by_name)[:12]],
        "ranges": _ranges(page.t),
        "range": chosen,
        "now": page.tenant.clock.now() // 1000,
        "url": f"{base}/series.json",
        "csv": f"{base}/series.csv?{urlencode({'attr': attr})}",
        "svg": _drawn(page, series, label),
        "empty": page.t("No readings in this period."),
        "note": _note(page, series),
        "latest": _latest(page, series, unit),
    }
    return chart, series.source


def _units(entity: Entity, by_name: dict[str, str]) -> dict[str, str]:
    found = {name: entity.default(iri) for name, iri in by_name.items()}
    return {n: symbol(i.unit_code) for n, i in found.items() if i is not None and i.unit_code}


def _ranges(t: Translator) -> list[tuple[str, str]]:
    words = [t("Hour"), t("Day"), t("Week"), t("Month"), t("All")]
    return list(zip(RANGES, words, strict=True))


async def _in_range(page: Page, entity: Entity, iri: str) -> tuple[Series, str]:
    """The asked period; without one the shortest from a day up that has a course to show."""
    now = page.tenant.clock.now()
    asked = page.param("range")
    names = [asked] if asked in RANGES else ["day", "month", "all"]
    series, name = Series(), names[-1]
    for name in names:
        span = RANGES[name]
        start = now - span if span is not None else None
        series = await readings(page.tenant, entity, iri, start)
        if len(series) > 1:
            break
    return series, name


def _drawn(page: Page, series: Series, label: str) -> Markup:
    if not len(series):
        return Markup()
    times, last, _, _ = thin(series.times, series.values, _DRAWN)
    long = times[-1] - times[0] > 2 * 86_400 * MICRO
    t, zone = page.t, page.zone

    def x_label(x: float) -> str:
        at = int(x)
        return t.date(at, zone, "medium") if long else t.moment(at, zone, "short")

    title = t(
        "%(label)s from %(start)s to %(end)s, between %(low)s and %(high)s",
        label=label,
        start=t.moment(int(series.times[0]), zone, "short"),
        end=t.moment(int(series.times[-1]), zone, "short"),
        low=t.number(float(series.values.min())),
        high=t.number(float(series.values.max())),
    )
    points = list(zip(times.astype(float).tolist(), last.tolist(), strict=True))
    return plot.chart(points, title, x_label=x_label, y_label=t.number, stepped=len(points) < 200)


def _note(page: Page, series: Series) -> str:
    if not len(series):
        return ""
    told = page.t.n("%(num)s reading", "%(num)s readings", len(series))
    ends = [page.t.moment(int(series.times[i]), page.zone, "short") for i in (0, -1)]
    text = f"{told}, {' – '.join(dict.fromkeys(ends))}. " + page.t(
        "Times are those of %(zone)s.", zone=page.zone
    )
    return text if series.complete else text + " " + page.t("Older readings are left out here.")


def _latest(page: Page, series: Series, unit: str) -> list[tuple[str, str]]:
    times, values = series.times[-_LATEST:].tolist(), series.values[-_LATEST:].tolist()
    pairs = list(zip(times, values, strict=True))
    tail = f"\u00a0{unit}" if unit else ""
    return [(page.t.moment(at, page.zone), page.t.number(v) + tail) for at, v in reversed(pairs)]


def _place(page: Page, entity: Entity) -> dict[str, Any] | None:
    instance = entity.default(LOCATION)
    place = place_of(instance.value) if instance is not None else None
    if place is None:
        return None
    table = hubs_of(page.site.engine).get(page.tenant.name).table
    lon, lat = round(place[0], 6), round(place[1], 6)
    return {
        "lon": lon,
        "lat": lat,
        "text": f"{lat}, {lon}",
        "svg": locator(table, place, page.t("Its place among everything else in the city")),
        "map_url": f"{page.base}/#17/{lat}/{lon}",
    }


def _relations(page: Page, entity: Entity) -> list[tuple[str, list[Link]]]:
    groups = []
    left = _RELATED
    for iri, instances in entity.attrs.items():
        targets: list[str] = []
        for instance in instances:
            if instance.kind in ("Relationship", "ListRelationship"):
                targets += _targets(instance.value)
        if targets and left > 0:
            chosen, left = targets[:left], left - len(targets)
            groups.append((labels.attribute(page.t, short(iri)), [_link(page, t) for t in chosen]))
    return groups


def _targets(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return _targets(value.get("object"))
    return (
        [target for item in value for target in _targets(item)] if isinstance(value, list) else []
    )


def _link(page: Page, target: str) -> Link:
    other = page.tenant.context.get(target)
    if other is None:
        return Link(target.rsplit(":", 1)[-1] or target)
    return Link(title_of(page.t, other), entity_path(page.base, target))


def _origin(page: Page, entity: Entity, source: str | None) -> list[tuple[str, str, str]]:
    facts: list[tuple[str, str, str]] = []
    for iri in entity.attrs:
        attr, instance = short(iri), entity.default(iri)
        if attr in _ORIGIN and instance is not None:
            text = written(page.t, instance, page.zone)
            if text.startswith("feed:"):
                source = source or text
                continue
            url = text if text.startswith(("https://", "http://")) else ""
            facts.append((labels.attribute(page.t, attr), text, url))
    feed = (source or "").removeprefix("feed:") if (source or "").startswith("feed:") else ""
    if feed:
        facts.append((page.t("Feed"), feed, f"{page.base}/feeds#{quote(feed)}"))
    terms = page.tenant.city.licence[:1]
    facts += [(page.t("Licence"), licence_text(page, each), each.url) for each in terms]
    written_at = [(page.t("Held since"), entity.created_at)]
    written_at += [(page.t("Last written"), entity.modified_at)]
    facts += [(text, page.t.moment(at, page.zone), "") for text, at in written_at if at]
    return facts


def _neighbours(page: Page, entity: Entity) -> tuple[Link | None, Link | None]:
    """Before and after it by id, among those of its type."""
    table = hubs_of(page.site.engine).get(page.tenant.name).table
    row = table.rows.get(entity.id)
    if row is None:
        return None, None
    same = np.flatnonzero(table.alive[: table.size] & (table.kind[: table.size] == table.kind[row]))
    ids = [table.ids[r] for r in same.tolist()]
    before = max((i for i in ids if i < entity.id), default=None)
    after = min((i for i in ids if i > entity.id), default=None)
    return _neighbour(page, before), _neighbour(page, after)


def _neighbour(page: Page, entity_id: str | None) -> Link | None:
    if entity_id is None:
        return None
    other = page.tenant.context.get(entity_id)
    name = title_of(page.t, other) if other is not None else entity_id
    return Link(name, entity_path(page.base, entity_id))


def _curl(page: Page, path: str) -> str:
    url = page.request.url
    lines = [f"curl '{url.scheme}://{url.netloc}{page.root}{path}'"]
    if page.tenant.name != page.site.engine.default_tenant:
        lines.append(f"-H 'NGSILD-Tenant: {page.tenant.name}'")
    return " \\\n  ".join(lines)


def routes(site: Site) -> Sequence[Route]:
    """`…/entities/{id}`."""
    return site.city("/entities/{entity_id:path}", show)
