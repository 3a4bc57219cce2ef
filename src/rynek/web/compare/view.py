"""What the page of one index shows: its rows in words, with the reader's own weights or without."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from markupsafe import Markup

from rynek.base.errors import BadRequestData
from rynek.indicators import Published, Reranked, rerank, say
from rynek.web.compare.drawing import bar, place_map
from rynek.web.compare.words import Words

__all__ = ["PAGE", "Row", "Slider", "View", "read_weights"]

PAGE: Final = 25
_MAX_WEIGHTS: Final = 4000


class Row(msgspec.Struct):
    """A unit or a group of the table, in words."""

    id: str
    name: str
    rank: str
    interval: str
    bar: Markup
    score: str
    first: str
    top: str
    population: str = ""
    group: str = ""
    units: str = ""
    driver: str = ""


class Slider(msgspec.Struct):
    """An indicator with its weight, from 0 to 100."""

    id: str
    name: str
    unit: str
    weight: float
    share: str
    zero: str
    note: str


def read_weights(text: str, found: Mapping[str, Any]) -> dict[str, float] | None:
    """Weights from an address, `own_income:25,e_petitions:10`; None without. BadRequestData."""
    if not text:
        return None
    if len(text) > _MAX_WEIGHTS:
        raise BadRequestData(say("weights-long"))
    weights: dict[str, float] = {}
    for part in text.split(","):
        name, _, number = part.rpartition(":")
        try:
            weights[name] = float(number)
        except ValueError:
            raise BadRequestData(say("weights-form", part=part[:60])) from None
    rerank(found, weights)
    return weights


class View:
    """A published index in a language, its order by `weights` where the reader set some."""

    def __init__(
        self, published: Published, words: Words, weights: Mapping[str, float] | None
    ) -> None:
        self.found, self.kept, self.words = published.found, published.kept, words
        self.t = words.t
        self.weights = weights
        self.moved: Reranked | None = rerank(self.found, weights) if weights else None

    @property
    def ranks(self) -> list[float]:
        """The rank of each unit."""
        if self.moved is not None:
            return [float(one) for one in self.moved.ranks]
        return [one["rank"] for one in self.found["units"]]

    def group_rank(self, n: int) -> float | None:
        """The rank of a group, None without units."""
        if self.moved is None:
            rank: float | None = self.found["groups"][n]["rank"]
            return rank
        return None if math.isnan(self.moved.group_ranks[n]) else float(self.moved.group_ranks[n])

    def groups(self) -> list[Row]:
        """The regions, the best first; those without data last."""
        every = self.found["groups"]
        many = sum(one["rank"] is not None for one in every)
        rows = []
        for n, one in enumerate(every):
            rank = self.group_rank(n)
            score = one["score"] if self.moved is None else self.moved.group_scores[n]
            row = self._row(one, rank, score, many)
            row.population = self.words.interval(one.get("population_rank_interval"))
            row.units = self.t.number(one["units"], 0)
            if one["left_out"]:
                row.units += f" / {self.t.number(one['units'] + one['left_out'], 0)}"
            rows.append((math.inf if rank is None else rank, row))
        return [row for _, row in sorted(rows, key=lambda pair: pair[0])]

    def units(self, query: str, group: str, page: int) -> tuple[list[Row], int]:
        """A page of the units whose name holds `query`, in `group` where one is named, and how many
        there are."""
        names = {one["id"]: self.words.said(one["name"]) for one in self.found["groups"]}
        wanted = query.casefold()
        ranks = self.ranks
        every = [
            n
            for n, one in enumerate(self.found["units"])
            if (not wanted or wanted in one["name"].casefold())
            and (not group or one["group"] == group)
        ]
        every.sort(key=lambda n: ranks[n])
        rows = []
        for n in every[page * PAGE : (page + 1) * PAGE]:
            one = self.found["units"][n]
            score = one["score"] if self.moved is None else self.moved.scores[n]
            row = self._row(one, ranks[n], score, len(self.found["units"]))
            row.group = names.get(one["group"] or "", "")
            rows.append(row)
        return rows, len(every)

    def _row(self, one: Mapping[str, Any], rank: float | None, score: Any, many: int) -> Row:
        t = self.t
        variance = one.get("variance") or {}
        driver = max(variance, key=lambda name: variance[name]["total"], default="")
        return Row(
            id=one["id"],
            name=self.words.said(one["name"]),
            rank="" if rank is None else t.number(rank, 1),
            interval=self.words.interval(one.get("rank_interval")),
            bar=bar(dict(one) | {"rank": rank}, many),
            score="" if rank is None else t.number(float(score), 1),
            first=_share(t, one.get("share_of_variants_first")),
            top=_share(t, one.get("share_of_variants_in_top_quarter")),
            driver=self.words.factor(driver) if driver else "",
        )

    def sliders(self) -> list[Slider]:
        """The indicators with their weights."""
        every = self.found["indicators"]
        weights = self.weights or {one["id"]: one["weight"] for one in every}
        most = max((weights.get(one["id"], 0.0) for one in every), default=1.0) or 1.0
        total = sum(weights.get(one["id"], 0.0) for one in every) or 1.0
        return [
            Slider(
                id=one["id"],
                name=self.words.said(one["name"]),
                unit=one["unit"],
                weight=round(
                    weights.get(one["id"], 0.0) if self.weights else 50 * weights[one["id"]] / most,
                    1,
                ),
                share=f"{self.t.number(100 * weights.get(one['id'], 0.0) / total, 1)}%",
                zero=self.words.said(one["zero_means"]),
                note=self.words.said(one["note"]),
            )
            for one in every
        ]

    def map(self, title: str) -> Markup:
        """Units where they lie, and each region's rank."""
        regions = [
            (one["id"], self.words.said(one["name"]), rank)
            for n, one in enumerate(self.found["groups"])
            if (rank := self.group_rank(n)) is not None
        ]
        return place_map(self.found["units"], self.ranks, regions, title)


def _share(t: Any, share: float | None) -> str:
    if share is None:
        return ""
    if 0 < share < 0.01:
        return f"< {t.percent(0.01)}"
    return str(t.percent(round(share, 2)))
