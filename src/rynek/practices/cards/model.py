"""A practice card: what a city did, where, when, at what cost, what came of it, and who says so."""

from __future__ import annotations

from typing import Any, Final, Literal, get_args

import msgspec

__all__ = [
    "BARRIERS",
    "CLUSTERS",
    "DOORS",
    "LANGUAGES",
    "STATUSES",
    "VERDICTS",
    "Account",
    "Barrier",
    "Card",
    "City",
    "Claim",
    "Cost",
    "Fact",
    "Funding",
    "Phase",
    "Place",
    "Procurement",
    "Question",
    "Source",
    "Text",
    "Verdict",
]

Language = Literal["en", "pl", "cs", "bg", "uk", "sr"]
Text = dict[Language, str]
"""Words for people, one string by language code; never empty."""

Cluster = Literal[
    "mobility",
    "districts_and_buildings",
    "integrated_infrastructure",
    "citizens",
    "planning_and_regulation",
    "business_models_and_finance",
]
"""The six clusters of the European Innovation Partnership on Smart Cities and Communities."""
Status = Literal["planned", "pilot", "running", "scaled", "stopped"]
Outcome = Literal["worked", "partly", "did_not", "unknown"]
BarrierKind = Literal["technical", "social", "financial", "competence", "regulatory", "governance"]
Door = Literal["public", "members", "owner"]
"""Who sees a card: everybody; whoever has a token; who may write for the city that owns it."""

LANGUAGES: Final = get_args(Language)
CLUSTERS: Final = get_args(Cluster)
STATUSES: Final = get_args(Status)
VERDICTS: Final = get_args(Outcome)
BARRIERS: Final = get_args(BarrierKind)
DOORS: Final = get_args(Door)


class _Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What all parts share: nothing unknown, and defaults are not written."""


class Source(_Part, frozen=True):
    """Where a fact can be read; `date` is when it was published (2024, 2024-05 or 2024-05-02)."""

    title: str
    url: str = ""
    date: str = ""
    licence: str = ""


class City(_Part, frozen=True):
    """Whose practice it is; `country` is an ISO 3166-1 alpha-2 code, `known_as` the keys under which
    tables and other cities' files know it (a code of LAU, KATOTTH or Eurostat, its name there)."""

    name: Text
    country: str
    population: int | None = None
    known_as: list[str] = []


class Place(_Part, frozen=True):
    """Where; `longitude` and `latitude` in degrees (WGS 84)."""

    name: str
    longitude: float | None = None
    latitude: float | None = None


class Fact(_Part, frozen=True):
    """Something said on the card, with its source where it has one."""

    text: Text
    source: Source | None = None


class Phase(_Part, frozen=True):
    """A part of what was done; `start` and `end` are dates (a year, month or day), `units` how many
    of `unit`."""

    title: Text
    start: str = ""
    end: str = ""
    units: float | None = None
    unit: Text = {}
    source: Source | None = None


class Cost(_Part, frozen=True):
    """What it costs: `amount` (up to `up_to`) of a currency (ISO 4217) in prices of `year`; a negative
    amount is a saving. Per `unit` where it is a cost per unit; running costs are per `period`."""

    kind: Literal["capital", "running", "per_unit"]
    what: Text
    amount: float
    currency: str
    year: int
    up_to: float | None = None
    unit: Text = {}
    period: Literal["once", "month", "year"] = "once"
    source: Source | None = None


class Funding(_Part, frozen=True):
    """Who paid, and how much where that is public."""

    who: str
    programme: str = ""
    amount: float | None = None
    currency: str = ""
    year: int | None = None
    source: Source | None = None


class Procurement(_Part, frozen=True):
    """A public contract by its Open Contracting id (`ocds-…`, open-contracting.org)."""

    ocid: str
    title: str = ""
    url: str = ""


class Verdict(_Part, frozen=True):
    """What came of it and why one says so."""

    outcome: Outcome
    reason: Text


class Barrier(_Part, frozen=True):
    """What stood in the way, by the kinds that European projects report."""

    kind: BarrierKind
    text: Text
    source: Source | None = None


class Claim(_Part, frozen=True):
    """Who claims which effect, of which size, when and where; `account` names the one it belongs to."""

    who: Text
    effect: Text
    size: float | None = None
    unit: str = ""
    date: str = ""
    account: str = ""
    source: Source | None = None


class Account(_Part, frozen=True):
    """One side's telling of the same practice; several stand beside each other."""

    key: str
    title: Text
    text: Text


class Question(_Part, frozen=True):
    """An effect to be estimated: a specification of `rynek practice evaluate` without its panel, and
    the recipe by which the panel is made of recorded files. `indicators` are the ids of those that
    its outcome measures, so that more of the outcome is more of each."""

    key: str
    title: Text
    specification: dict[str, Any]
    recipe: dict[str, Any] = {}
    note: Text = {}
    indicators: list[str] = []


class Card(_Part, frozen=True):
    """A practice as one version of its card tells it.

    `indicators` are the ids of those that it was meant to move, measured or not. With `city_shown`
    false the card is shared without the city's name: whoever may not write for
    its owner sees neither the city nor what gives it away.
    """

    title: Text
    summary: Text
    theme: str
    cluster: Cluster
    status: Status
    verdict: Verdict
    city: City | None = None
    city_shown: bool = True
    places: list[Place] = []
    problem: Text = {}
    done: Text = {}
    phases: list[Phase] = []
    technology: list[str] = []
    costs: list[Cost] = []
    funding: list[Funding] = []
    procurement: list[Procurement] = []
    partners: list[str] = []
    accounts: list[Account] = []
    claims: list[Claim] = []
    facts: list[Fact] = []
    barriers: list[Barrier] = []
    lessons: list[Text] = []
    conditions: list[Text] = []
    limits: Text = {}
    to_know: Text = {}
    questions: list[Question] = []
    indicators: list[str] = []
    sources: list[Source] = []
