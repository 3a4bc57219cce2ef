"""What requests of the API may say: names, numbers and periods, each bounded and named when wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from starlette.requests import Request

from rynek.base.errors import InvalidRequest, NonexistentTenant, ResourceNotFound
from rynek.indicators import Definition, definitions, find_definition
from rynek.web.i18n import LANGUAGES
from rynek.web.indicators.computing import Computing
from rynek.web.indicators.tables import Reader
from rynek.web.requested import Requested

__all__ = ["Asked"]

_MOST_NAMED = 100
_LONGEST = 200


class Asked(Requested):
    """One request of the API."""

    def __init__(self, engine: Any, computing: Computing, reader: Reader, request: Request) -> None:
        self.engine = engine
        self.computing = computing
        self.reader = reader
        self.request = request

    @property
    def tenant(self) -> Any:
        """The city in the path. NonexistentTenant."""
        name = self.name("tenant")
        found = self.engine.tenants.get(name)
        if found is None:
            raise NonexistentTenant(f"there is no city {name[:80]!r} here")
        return self.engine.tenant(name)

    def text(self, name: str, default: str = "") -> str:
        """A text of up to 200 characters."""
        found = self.request.query_params.get(name, default)
        if len(found) > _LONGEST:
            raise InvalidRequest(f"{name}: up to {_LONGEST} characters")
        return found

    def many(self, name: str, most: int = _MOST_NAMED) -> list[str]:
        """Every value of a parameter that may be given several times, or with commas."""
        found = [
            part
            for value in self.request.query_params.getlist(name)
            for part in value.split(",")
            if part
        ]
        if len(found) > most:
            raise InvalidRequest(f"{name}: {most} at most")
        return [one[:_LONGEST] for one in dict.fromkeys(found)]

    def number(self, name: str, default: int, least: int, most: int) -> int:
        """A whole number from `least` to `most`."""
        text = self.request.query_params.get(name, str(default))
        plain = text.isascii() and text.isdecimal() and len(text) < 12
        if not plain or not least <= int(text) <= most:
            raise InvalidRequest(f"{name}: a number from {least} to {most}")
        return int(text)

    def one_of(self, name: str, choices: Sequence[str], default: str) -> str:
        """One of several words."""
        found = self.request.query_params.get(name, default)
        if found not in choices:
            raise InvalidRequest(f"{name}: one of {', '.join(choices)}")
        return found

    def flag(self, name: str) -> bool:
        """`true` or `false`."""
        return self.one_of(name, ("true", "false"), "false") == "true"

    @property
    def language(self) -> str:
        """The language of names; English without."""
        return self.one_of("language", tuple(LANGUAGES), "en")

    @property
    def version(self) -> int | None:
        """The number of a version; None for the newest."""
        given = "version" in self.request.query_params
        return self.number("version", 1, 1, 10**9) if given else None

    @property
    def csv(self) -> bool:
        """Whether a table for spreadsheets is wanted, by `format` or the header Accept."""
        accepts = "csv" if "text/csv" in self.request.headers.get("accept", "") else "json"
        return self.one_of("format", ("json", "csv"), accepts) == "csv"

    def wanted(self) -> list[Definition]:
        """The indicators that are named by id, or of a theme; every one without.
        ResourceNotFound names those that there are."""
        named = [find_definition(one) for one in self.many("indicator")]
        theme = self.text("theme")
        if theme and theme not in {one.theme for one in definitions()}:
            themes = ", ".join(sorted({one.theme for one in definitions()}))
            raise ResourceNotFound(f"theme: {theme[:60]!r} is none; {themes} are")
        return [one for one in named or definitions() if theme in ("", one.theme)]
