"""Filters of a list of cards that can find nothing."""

from __future__ import annotations

from rynek.base.errors import BadRequestData
from rynek.practices.cards.doors import Viewer
from rynek.practices.cards.model import CLUSTERS
from rynek.practices.cards.store import Cards
from rynek.practices.saying import say

__all__ = ["refuse_unknown"]


def refuse_unknown(cards: Cards, viewer: Viewer, theme: str, cluster: str = "") -> None:
    """BadRequestData for a theme that no card which `viewer` may see has, or a cluster that is none
    of the six; it names the known ones. "" is any."""
    if cluster and cluster not in CLUSTERS:
        raise BadRequestData(say("filter-cluster", cluster=cluster[:60], known=CLUSTERS))
    if theme:
        known = cards.counts(viewer)["theme"]
        if theme not in known:
            if not known:
                raise BadRequestData(say("filter-theme-none", theme=theme[:60]))
            some = sorted(known)[:40]
            raise BadRequestData(say("filter-theme", theme=theme[:60], known=some))
