"""What a read asks for beyond stored entities: linked entities, other sources (CIM 009 §6.4.3.2)."""

from __future__ import annotations

from typing import Final
from urllib.parse import unquote

import msgspec

from rynek.base.clock import MICRO
from rynek.base.errors import BadRequestData, TooComplexQuery
from rynek.base.ids import is_uri
from rynek.context import Ordering, parse_attrs, parse_ordering, parse_q
from rynek.history import parse_duration
from rynek.web.api import sources
from rynek.web.api.call import Call
from rynek.web.api.params import flag

_MAX_LEVEL: Final = 32
_NONE: Final = "@none"
_MAP_HEADER: Final = "ngsild-entitymap"
_DAY: Final = 86_400 * MICRO


class Join(msgspec.Struct, frozen=True):
    """Linked entity retrieval (§4.5.23): `form` is inline or flat, `level` how many relationships
    are followed, `contained` the ids that the client has met already."""

    form: str
    level: int
    contained: frozenset[str] = frozenset()


def join_of(params: dict[str, str]) -> Join | None:
    """join, joinLevel and containedBy; None without linked entity retrieval."""
    form = params.get("join", _NONE)
    if form not in ("inline", "flat", _NONE):
        raise BadRequestData(f"join must be inline, flat or @none, it is {form[:40]!r}")
    level = _level(params.get("joinLevel", "1"))
    contained = params.get("containedBy")
    ids = frozenset(_uris("containedBy", contained)) if contained is not None else frozenset()
    return None if form == _NONE else Join(form, level, ids)


class MapWish(msgspec.Struct, frozen=True):
    """What a read asks of entity maps (§5.5.14): whether to make one, for how long (microseconds),
    and the id of the one to use."""

    make: bool = False
    lifetime: int | None = None
    use: str | None = None

    @property
    def given(self) -> bool:
        """Whether the read is to be answered over a map."""
        return self.make or self.use is not None


def map_wish(call: Call) -> MapWish:
    """entityMap, entityMapLifetime and the header NGSILD-EntityMap."""
    params = call.params
    header = call.headers.get(_MAP_HEADER)
    lifetime = None
    if "entityMapLifetime" in params:
        lifetime = lifetime_of("entityMapLifetime", params["entityMapLifetime"])
    make = "entityMap" in params and flag(params, "entityMap")
    return MapWish(make, lifetime, map_id(header) if header is not None else None)


def lifetime_of(name: str, text: str) -> int:
    """An ISO 8601 duration as microseconds, a month as 30 days; BadRequestData when it is none."""
    try:
        found = parse_duration(text)
    except BadRequestData as error:
        raise BadRequestData(f"{name}: {error.detail}") from error
    micros = found.micros + (found.months * 30 + found.days) * _DAY
    if micros <= 0:
        raise BadRequestData(f"{name}: {text[:64]!r} is no length of time")
    return micros


def map_id(text: str) -> str:
    """The id of an entity map in a location or alone; BadRequestData when it is no URI."""
    found = unquote(text.rpartition("/entityMaps/")[2].strip())
    if not is_uri(found):
        raise BadRequestData(f"{found[:100]!r} is not the URI of an entity map")
    return found


def order_of(call: Call) -> Ordering | None:
    """orderBy, collation, orderFrom and orderGeometry (§4.23); None where no order is asked for.

    BadRequestData when one of them is wrong, or when other sources would take part (§5.7.2.4).
    """
    params = call.params
    ordering = parse_ordering(
        params.get("orderBy", "id"),
        call.ld.expand_term,
        collation=params.get("collation"),
        coordinates=params.get("orderFrom"),
        geometry=params.get("orderGeometry"),
        lang=params.get("lang"),
    )
    if "orderBy" not in params:
        return None
    if not sources.is_local(call) or params.get("local") == "false":
        raise BadRequestData("orderBy is for local entities: add local=true")
    return ordering


def _level(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not text.strip("0"):
        raise BadRequestData(f"joinLevel must be a number from 1 on, it is {text[:40]!r}")
    if len(text) > 4 or int(text) > _MAX_LEVEL:
        raise TooComplexQuery(f"joinLevel is above {_MAX_LEVEL}")
    return int(text)


def _uris(name: str, text: str) -> list[str]:
    ids = text.split(",")
    for one in ids:
        if not is_uri(one):
            raise BadRequestData(f"{name}: {one[:100]!r} is not a URI")
    return ids


def check_sources(call: Call) -> None:
    """csf, splitEntities and jsonKeys: their form. What they say goes to the sources."""
    params = call.params
    if "csf" in params:
        parse_q(params["csf"], call.ld.expand_term)
    if "splitEntities" in params:
        flag(params, "splitEntities")
    if params.get("jsonKeys"):
        parse_attrs(params["jsonKeys"], call.ld.expand_term)
