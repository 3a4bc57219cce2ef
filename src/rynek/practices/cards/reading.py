"""Cards from outside: bounded, checked, and every error names its field."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any, Final

import msgspec

from rynek.base.errors import BadRequestData, InvalidRequest, PayloadTooLarge
from rynek.base.toml import load_toml
from rynek.base.typed import convert
from rynek.indicators import definitions
from rynek.practices.cards.model import Card, Cost
from rynek.practices.saying import say
from rynek.practices.wording import json_message, shape_message, toml_message

__all__ = [
    "MAX_BYTES",
    "THEME",
    "check_id",
    "parse_card",
    "read_document",
    "texts",
    "to_document",
]

MAX_BYTES: Final = 1 << 18
_MAX_TITLE: Final = 200
_MAX_WORD: Final = 500
_MAX_TEXT: Final = 20_000
_MAX_ITEMS: Final = 100
_MAX_DEPTH: Final = 12
_MAX_NODES: Final = 20_000
_LARGEST: Final = 1e15
_MAX_INDICATORS: Final = 10
_TITLES: Final = frozenset(("title", "who", "what", "unit"))
_FREE: Final = frozenset(("specification", "recipe"))

THEME: Final = re.compile(r"[a-z][a-z0-9_]{0,39}")
_ID: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,78}[a-z0-9])?")
# Pages that stand where a card's would.
_TAKEN: Final = frozenset(("new", "effects", "estimate", "plan", "search"))
_KEY: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
_DATE: Final = re.compile(r"\d{4}(-\d{2}(-\d{2})?)?")
_OCID: Final = re.compile(r"ocds-[a-z0-9]{6}-[!-~]{1,200}", re.IGNORECASE)
_URL: Final = re.compile(r"https?://[^\s<>\"'`{}|\\^]{1,1900}")
_CONTROL: Final = re.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)


def read_document(body: bytes, name: str = "") -> dict[str, Any]:
    """A JSON or (by the file's name, or where it does not begin with a brace) TOML document.

    PayloadTooLarge; InvalidRequest where it is neither.
    """
    if len(body) > MAX_BYTES:
        raise PayloadTooLarge(say("card-bytes", most=MAX_BYTES >> 10))
    toml = name.endswith(".toml") or not (name.endswith(".json") or body.lstrip()[:1] == b"{")
    try:
        found = load_toml(body.decode()) if toml else json.loads(body)
    except RecursionError:
        raise InvalidRequest(say("json-deep")) from None
    except UnicodeDecodeError:
        raise InvalidRequest(say("no-utf8")) from None
    except ValueError as error:
        raise InvalidRequest(toml_message(error) if toml else json_message(error)) from None
    if not isinstance(found, dict):
        raise InvalidRequest(say("card-document"))
    return found


def parse_card(document: Mapping[str, Any]) -> Card:
    """A card from a document. BadRequestData names the field that is wrong and what it may be."""
    _bounded(document)
    try:
        card = convert(_plain(dict(document)), Card)
    except msgspec.ValidationError as error:
        raise BadRequestData(shape_message(error, Card, say("shape-card"))) from None
    _check(card)
    return card


def to_document(card: Card) -> dict[str, Any]:
    """A card as JSON and TOML have it: fields without a value are left out."""
    found: dict[str, Any] = msgspec.to_builtins(card)
    return found


def check_id(card_id: str) -> str:
    """The id, or BadRequestData."""
    if not _ID.fullmatch(card_id):
        raise BadRequestData(say("card-id"))
    if card_id in _TAKEN:
        raise BadRequestData(say("card-id-taken", id=card_id))
    return card_id


def texts(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Every string of a document with the path of its field, as `claims[0].effect.cs`."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from texts(inner, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from texts(inner, f"{path}[{index}]")


def _plain(value: Any) -> Any:
    """TOML's dates as text."""
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return value.isoformat() if hasattr(value, "isoformat") else value


def _bounded(document: Mapping[str, Any]) -> None:
    """Refuse what is too deep, too much or no number before anything else looks at it."""
    left = _MAX_NODES
    waiting: list[tuple[str, Any, int]] = [("", document, 0)]
    while waiting:
        path, value, depth = waiting.pop()
        left -= 1
        if left < 0:
            raise BadRequestData(say("card-values", most=_MAX_NODES))
        if depth > _MAX_DEPTH:
            raise BadRequestData(say("card-deep", path=path))
        if isinstance(value, float) and not math.isfinite(value):
            raise BadRequestData(say("card-no-number", path=path))
        if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) > _LARGEST:
            raise BadRequestData(say("card-large", path=path))
        if isinstance(value, str) and _CONTROL.search(value):
            raise BadRequestData(say("card-control", path=path))
        if isinstance(value, Mapping):
            waiting += [
                (f"{path}.{key}" if path else str(key), inner, depth + 1)
                for key, inner in value.items()
            ]
        elif isinstance(value, list):
            if len(value) > _MAX_ITEMS and path.partition(".")[0].partition("[")[0] != "questions":
                raise BadRequestData(say("card-items", path=path, most=_MAX_ITEMS))
            waiting += [(f"{path}[{index}]", inner, depth + 1) for index, inner in enumerate(value)]


def _check(card: Card) -> None:
    document = to_document(card)
    for field in ("title", "summary"):
        if not document[field]:
            raise BadRequestData(say("card-needed", path=field))
    if not card.verdict.reason:
        raise BadRequestData(say("card-why"))
    for path, text in texts(document):
        _check_text(path, text)
    if not THEME.fullmatch(card.theme):
        raise BadRequestData(say("card-theme"))
    if card.city is None:
        if card.city_shown:
            raise BadRequestData(say("card-city"))
    elif not re.fullmatch(r"[A-Z]{2}", card.city.country):
        raise BadRequestData(say("card-country"))
    elif not card.city.name:
        raise BadRequestData(say("card-needed", path="city.name"))
    elif card.city.population is not None and not 0 < card.city.population < 10**8:
        raise BadRequestData(say("card-population"))
    for index, place in enumerate(card.places):
        _within(f"places[{index}].longitude", place.longitude, 180)
        _within(f"places[{index}].latitude", place.latitude, 90)
        if (place.longitude is None) != (place.latitude is None):
            raise BadRequestData(say("card-place", path=f"places[{index}]"))
    _check_dates(card)
    _check_money(card)
    _check_keys(card)
    _check_indicators(card)


def _check_text(path: str, text: str) -> None:
    field = re.sub(r"\[\d+\]", "", path).split(".")
    if field[0] == "questions" and len(field) > 1 and field[1] in _FREE:
        return
    last = field[-2] if len(field) > 1 and len(field[-1]) == 2 else field[-1]
    if last == "url" and text and not _URL.fullmatch(text):
        raise BadRequestData(say("card-url", path=path))
    most = _MAX_TEXT if len(field[-1]) == 2 and last not in _TITLES else _MAX_WORD
    most = _MAX_TITLE if field[0] == "title" else 2_000 if last == "url" else most
    if len(text) > most:
        raise BadRequestData(say("card-long", path=path, most=most))
    if len(field[-1]) == 2 and not text.strip():
        raise BadRequestData(say("card-empty", path=path))


def _within(path: str, value: float | None, most: float) -> None:
    if value is not None and not -most <= value <= most:
        raise BadRequestData(say("card-degrees", path=path, most=most))


def _check_dates(card: Card) -> None:
    for path, text in texts(to_document(card)):
        field = path.rpartition(".")[2]
        if field in ("start", "end", "date") and not path.startswith("questions") and text:
            _date(path, text)
    for index, phase in enumerate(card.phases):
        if phase.start and phase.end and phase.end < phase.start[: len(phase.end)]:
            raise BadRequestData(say("card-end", path=f"phases[{index}].end"))


def _date(path: str, text: str) -> None:
    try:
        if not _DATE.fullmatch(text):
            raise ValueError
        date.fromisoformat(text + "-01-01"[len(text) - 4 :] if len(text) < 10 else text)
    except ValueError:
        raise BadRequestData(say("card-date", path=path)) from None


def _check_money(card: Card) -> None:
    for index, cost in enumerate(card.costs):
        path = f"costs[{index}]"
        _currency(f"{path}.currency", cost.currency)
        _year(f"{path}.year", cost.year)
        if cost.up_to is not None and cost.up_to < cost.amount:
            raise BadRequestData(say("card-up-to", path=f"{path}.up_to"))
        _check_cost(path, cost)
    for index, funding in enumerate(card.funding):
        path = f"funding[{index}]"
        if funding.amount is not None:
            _currency(f"{path}.currency", funding.currency)
        if funding.year is not None:
            _year(f"{path}.year", funding.year)
    for index, contract in enumerate(card.procurement):
        if not _OCID.fullmatch(contract.ocid):
            raise BadRequestData(say("card-ocid", path=f"procurement[{index}].ocid"))


def _check_cost(path: str, cost: Cost) -> None:
    if not cost.what:
        raise BadRequestData(say("card-paid-for", path=f"{path}.what"))
    if cost.kind == "per_unit" and not cost.unit:
        raise BadRequestData(say("card-unit", path=f"{path}.unit"))
    if cost.kind == "running" and cost.period == "once":
        raise BadRequestData(say("card-period", path=f"{path}.period"))


def _currency(path: str, code: str) -> None:
    if not re.fullmatch(r"[A-Z]{3}", code):
        raise BadRequestData(say("card-currency", path=path))


def _year(path: str, year: int) -> None:
    if not 1950 <= year <= 2100:
        raise BadRequestData(say("card-year", path=path))


def _check_keys(card: Card) -> None:
    for field, keys in (
        ("accounts", [each.key for each in card.accounts]),
        ("questions", [each.key for each in card.questions]),
    ):
        for index, key in enumerate(keys):
            if not _KEY.fullmatch(key):
                raise BadRequestData(say("card-key", path=f"{field}[{index}].key"))
            if key in keys[:index]:
                raise BadRequestData(say("card-key-twice", path=f"{field}[{index}].key", key=key))
    known = {each.key for each in card.accounts}
    for index, claim in enumerate(card.claims):
        if claim.account and claim.account not in known:
            raise BadRequestData(say("card-account", path=f"claims[{index}].account"))


def _check_indicators(card: Card) -> None:
    every = [("indicators", card.indicators)]
    every += [
        (f"questions[{n}].indicators", one.indicators) for n, one in enumerate(card.questions)
    ]
    for path, names in every:
        if len(names) > _MAX_INDICATORS:
            raise BadRequestData(say("card-items", path=path, most=_MAX_INDICATORS))
        known = {one.id for one in definitions()} if names else set()
        for n, name in enumerate(names):
            if name not in known:
                raise BadRequestData(say("card-indicator", path=f"{path}[{n}]", name=name[:60]))
