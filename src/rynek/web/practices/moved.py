"""`/practices?indicator=`: the cards that are about one indicator."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from starlette.responses import Response

from rynek.base.errors import Problem
from rynek.practices.search import movers
from rynek.web.indicator_names import indicator_choices
from rynek.web.pages.shell import Page
from rynek.web.practices.likes import like_choices, unlike_why
from rynek.web.practices.movers import asking, card_of
from rynek.web.practices.moving import find_indicator

__all__ = ["show_moved"]

_SHOWN: Final = 60
_LEVELS: Final = 5


async def show_moved(page: Page) -> Response:
    """`/practices?indicator=`: every card about it, those with an answer first."""
    engine: Any = page.site.engine
    try:
        indicator = find_indicator(page.param("indicator"))
        like = await asyncio.to_thread(asking, page)
    except Problem as problem:
        said = problem.message.text(page.language) if problem.message else problem.detail
        return page.problem(problem.status, said)
    found = await asyncio.to_thread(movers, engine.cards, indicator, page.viewer, like)
    measured = [one for one in found if one.direction != "unmeasured"]
    others = [one for one in found if one.direction == "unmeasured"]
    t, likes = page.t, await asyncio.to_thread(like_choices, page)
    own = page.param("like") or (page.tenant.name if page.tenant else "")
    return page.render(
        "practices_moved.html",
        nav="practices",
        indicator=indicator,
        name=indicator.name[page.language],
        about=indicator.description[page.language],
        measured=[card_of(page, one) for one in measured[:_SHOWN]],
        others=[card_of(page, one) for one in others[:_SHOWN]],
        more=max(len(measured), len(others)) > _SHOWN,
        people="" if like.population is None else str(round(like.population)),
        choices=indicator_choices(t),
        likes=likes,
        unlike=await asyncio.to_thread(unlike_why, page, likes),
        own=dict(likes).get(own, ""),
        like=own,
        best=t.number(_LEVELS, 0),
    )
