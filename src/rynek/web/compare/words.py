"""What an index's choices and findings are called, and the answers in sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from rynek.indicators import read_message
from rynek.web.contract import said
from rynek.web.i18n import Translator

__all__ = ["CHOICES", "FACTORS", "Words"]


def N_(message: str) -> str:  # noqa: N802 - gettext's customary name for "mark, don't translate"
    """Mark a message for the catalogues."""
    return message


FACTORS: Final = {
    "imputation": N_("How gaps are filled"),
    "outliers": N_("How outliers are treated"),
    "normalisation": N_("How figures come to one scale"),
    "weights": N_("The weights"),
    "aggregation": N_("How indicators are added up"),
    "inclusion": N_("Leaving one indicator out"),
    "errors": N_("Errors of the figures"),
}
CHOICES: Final = {
    "drop": N_("units with gaps are left out"),
    "available": N_("from what is there"),
    "mean": N_("mean"),
    "median": N_("median"),
    "group_median": N_("median of the region"),
    "regression": N_("regression on the other indicators"),
    "none": N_("as they are"),
    "winsorise": N_("the outermost values cut"),
    "log": N_("logarithm"),
    "boxcox": N_("Box-Cox"),
    "minmax": N_("between lowest and highest"),
    "zscore": N_("standard deviations"),
    "rank": N_("ranks"),
    "percentile": N_("percentiles"),
    "categorical": N_("bands"),
    "target": N_("distance to the target"),
    "equal": N_("equal"),
    "given": N_("as given"),
    "pca": N_("from principal components"),
    "arithmetic": N_("arithmetic mean"),
    "geometric": N_("geometric mean"),
}
_MOST_NAMED: Final = 6


class Words:
    """The sentences of one index in one language."""

    def __init__(self, t: Translator, found: Mapping[str, Any]) -> None:
        self.t, self.found = t, found
        self._names = {
            kind: {one["id"]: self.said(one["name"]) for one in found[kind]}
            for kind in ("units", "groups")
        }

    def said(self, text: Any) -> str:
        """A text in the language."""
        return said(text, self.t.language) if text else ""

    def reason(self, one: Mapping[str, Any]) -> str:
        """Why something has no rank; in English where an older rynek kept no more."""
        message = read_message(one.get("message"))
        if message is None:
            return self.said(one["reason"])
        names = {one["id"]: self.said(one["name"]) for one in self.found["indicators"]}
        return message.text(self.t.language, names)

    def factor(self, name: str) -> str:
        """A choice of the method."""
        return self.t(FACTORS.get(name, name))

    def choice(self, name: str) -> str:
        """One of its alternatives."""
        return self.t(CHOICES.get(name, name))

    def interval(self, pair: Sequence[float] | None) -> str:
        """An interval of ranks: "3–9", or one rank."""
        if pair is None:
            return ""
        low, high = (self.t.number(one, 1) for one in pair)
        return low if low == high else f"{low}–{high}"

    def ahead(self, kind: str) -> list[str]:
        """Who is ahead, and who cannot be told apart from it."""
        told = self.found["leading"][kind]
        if told is None:
            return []
        rows = {one["id"]: one for one in self.found[kind]}
        leader = rows[told["leader"]]
        name = self._names[kind][leader["id"]]
        share = self.t.percent(round(leader["share_of_variants_first"], 2))
        if told["told_apart"]:
            return [
                self.t(
                    "%(name)s is ahead: it ranks first in %(share)s of the variants of the index.",
                    name=name, share=share,
                )
            ]  # fmt: skip
        near = [self._names[kind][one["id"]] for one in told["not_told_apart"]]
        return [
            self.t(
                "%(name)s ranks first by the choices of the index, and in %(share)s of its variants.",
                name=name, share=share,
            ),
            self.t(
                "It can’t be told apart from: %(names)s.", names=self._listed(near)
            ),
        ]  # fmt: skip

    def as_population(self) -> str:
        """The same if cities are seen as draws of what their region brings forth."""
        told = self.found["leading"]["groups"]
        if told is None:
            return ""
        near = [self._names["groups"][one["id"]] for one in told["as_population"]["not_told_apart"]]
        if not near:
            return self.t(
                "That holds also if its cities are seen as a sample of what it brings forth."
            )
        return self.t(
            "If the cities of a region are seen as a sample of what it brings forth, it can’t be told"
            " apart from: %(names)s.",
            names=self._listed(near),
        )

    def _listed(self, names: Sequence[str]) -> str:
        shown = ", ".join(names[:_MOST_NAMED])
        rest = len(names) - _MOST_NAMED
        return (
            shown
            if rest <= 0
            else f"{shown} {self.t.n('and %(num)s more', 'and %(num)s more', rest)}"
        )

    def strongest(self) -> str:
        """Which choice moves the ranking most."""
        variance = self.found["variance"]
        if not variance or not variance["strongest"]:
            return ""
        name = variance["strongest"]
        return self.t(
            "The ranking moves most with: %(choice)s (%(share)s of the variance, with its interactions).",
            choice=self.factor(name),
            share=self.t.percent(round(max(0.0, variance["choices"][name]["total"]), 2)),
        )

    def shift(self) -> str:
        """How far units move between variants."""
        told = self.found["mean_rank_shift"]
        if told is None:
            return ""
        return self.t(
            "How many places a unit moves from one variant to another, on average: %(mean)s of %(all)s.",
            mean=self.t.number(told["mean"], 0), all=self.t.number(len(self.found["units"]), 0),
        )  # fmt: skip
