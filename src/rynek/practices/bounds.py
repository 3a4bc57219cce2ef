"""How large a panel may be that is computed beside requests."""

from __future__ import annotations

from typing import NamedTuple

from rynek.base.errors import BadRequestData
from rynek.practices.panel import Panel
from rynek.practices.saying import say

__all__ = ["Bounds"]


class Bounds(NamedTuple):
    """At most so many places, and so many values of places and periods."""

    places: int
    values: int

    def check(self, panel: Panel) -> None:
        """BadRequestData where a panel is larger."""
        places, periods = len(panel.units), len(panel.times)
        if places > self.places or places * periods > self.values:
            told = {"most_places": self.places, "most_values": self.values}
            raise BadRequestData(say("page-cells", places=places, periods=periods, **told))
