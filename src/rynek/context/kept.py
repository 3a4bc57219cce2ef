"""What a tenant keeps of @contexts: hosted, cached, implicitly created (CIM 009 §5.13)."""

from __future__ import annotations

from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Final, Literal, Protocol

import msgspec

from rynek.base.clock import MICRO

ContextKind = Literal["Cached", "Hosted", "ImplicitlyCreated"]
ID_PREFIX: Final = "urn:ngsi-ld:Context:"
_HOUR: Final = 3600
_DAY: Final = 24 * _HOUR


class Freshness(msgspec.Struct, frozen=True, array_like=True):
    """Until when a fetched document counts as fresh (epoch microseconds), and its validators."""

    expires: int
    etag: str | None = None
    last_modified: str | None = None


class StoredContext(msgspec.Struct):
    """One stored @context: `id` is the local identifier, `url` where a cached one came from,
    times are epoch microseconds, `hits` how often it was found here (§5.13.3.5)."""

    id: str
    kind: ContextKind
    created: int
    size: int
    url: str | None = None
    fresh: Freshness | None = None
    hits: int = 0
    last_used: int | None = None


class ContextCache(Protocol):
    """Documents of @contexts that need no request: those fetched before, those hosted here."""

    def hosted(self, url: str) -> tuple[str, bytes] | None:
        """Local id and document when `url` is that of an @context hosted here, else None."""
        ...

    def get(self, url: str) -> bytes | None:
        """The fetched document of `url`, or None."""
        ...

    def freshness(self, url: str) -> Freshness | None:
        """How fresh the fetched document of `url` is; None when there is none."""
        ...

    def put(self, url: str, body: bytes, fresh: Freshness) -> None:
        """Keep a fetched document in the place of the one before."""
        ...

    def renew(self, url: str, fresh: Freshness) -> None:
        """The kept document of `url` still holds; a no-op when there is none."""
        ...

    def used(self, name: str, times: int, last: int) -> None:
        """Count uses of a document, by its URL or local id; unknown ones are ignored."""
        ...


def context_namespace(local_id: str) -> str:
    """The tenant that a local id names (see StoredContexts); "" for the default one's."""
    name, colon, _ = local_id.removeprefix(ID_PREFIX).rpartition(":")
    return name if colon and local_id.startswith(ID_PREFIX) else ""


def freshness(headers: Mapping[str, str], now: int) -> Freshness:
    """Until when an answer with these (lower-case) headers is fresh (§6.3.16, RFC 9111 §4.2).

    s-maxage counts before max-age, that before Expires; without them a tenth of the document's
    age, between an hour and a day. `now` in epoch microseconds.
    """
    return Freshness(
        now + int(_lifetime(headers, now) * MICRO),
        headers.get("etag"),
        headers.get("last-modified"),
    )


def _lifetime(headers: Mapping[str, str], now: int) -> float:
    """Seconds of freshness."""
    directives = _directives(headers.get("cache-control", ""))
    if "no-store" in directives or "no-cache" in directives:
        return 0
    for name in ("s-maxage", "max-age"):
        seconds = directives.get(name, "")
        if seconds.isascii() and seconds.isdigit():
            age = headers.get("age", "")
            used = int(age[:9]) if age.isascii() and age.isdigit() else 0
            return max(0, min(int(seconds[:9]), 365 * _DAY) - used)
    if "expires" in headers:
        until = _date(headers["expires"])
        return 0 if until is None else max(0, min(until - now / MICRO, 365 * _DAY))
    changed = _date(headers.get("last-modified", ""))
    if changed is None:
        return _DAY
    return min(max((now / MICRO - changed) / 10, _HOUR), _DAY)


def _directives(header: str) -> dict[str, str]:
    found = {}
    for piece in header.lower().split(","):
        name, _, value = piece.strip().partition("=")
        found[name.strip()] = value.strip().strip('"')
    return found


def _date(text: str) -> float | None:
    """An HTTP date in epoch seconds; None when it is none."""
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None
