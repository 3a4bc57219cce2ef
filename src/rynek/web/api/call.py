"""What an API handler knows and answers: values, never requests."""

from __future__ import annotations

from typing import Any

import msgspec

from rynek.base.settings import Limits
from rynek.context import CompiledContext

JSON = b"application/json"
JSON_LD = b"application/ld+json"
GEO_JSON = b"application/geo+json"

Header = tuple[bytes, bytes]


class Call(msgspec.Struct):
    """One API request, taken apart.

    `params` are the decoded query parameters (the last one wins where a name repeats);
    `headers` have lower-case names; `path_args` are the decoded variable parts of the path;
    `ld` is the resolved @context for names in and out
    (`ld_from_link` when the client named it in a Link header); `accept` is one of JSON, JSON_LD,
    GEO_JSON; `limits` bound page and batch; `scheme` is http or https, as
    the client spoke; `url_params` are those of the
    URL where a body gave more of them; `tenant` is the tenant's rooms (`.context`, `.history`, `.clock` …).
    """

    method: str
    path: str
    path_args: tuple[str, ...]
    params: dict[str, str]
    headers: dict[str, str]
    body: bytes
    tenant: Any
    ld: CompiledContext
    accept: bytes = JSON
    ld_from_link: bool = False
    base_path: str = ""
    limits: Limits = Limits()
    scheme: str = "http"
    url_params: dict[str, str] | None = None

    @property
    def options(self) -> frozenset[str]:
        """The words of `options=` and `format=` together."""
        words = [*self.params.get("options", "").split(","), self.params.get("format", "")]
        return frozenset(word for word in words if word)


class Reply(msgspec.Struct):
    """The answer of an API handler; an empty body sends none."""

    status: int = 200
    body: bytes = b""
    media: bytes = JSON
    headers: list[Header] = []
