"""Filters of a list of cards that can find nothing."""

from __future__ import annotations

from rynek.base.errors import BadRequestData
from rynek.practices.cards.doors import Viewer
from rynek.practices.cards.model import CLUSTERS
from rynek.practices.cards.store import Cards

__all__ = ["refuse_unknown"]


def refuse_unknown(cards: Cards, viewer: Viewer, theme: str, cluster: str = "") -> None:
    """BadRequestData for a theme that no card which `viewer` may see has, or a cluster that is none
    of the six; it names the known ones. "" is any."""
    if cluster and cluster not in CLUSTERS:
        raise BadRequestData(f"cluster {cluster[:60]!r}: it is one of {', '.join(CLUSTERS)}")
    if theme:
        known = cards.counts(viewer)["theme"]
        if theme not in known:
            some = ", ".join(sorted(known)[:40]) or "none yet"
            raise BadRequestData(f"theme {theme[:60]!r}: no card has it; there are {some}")
