"""The HTTP Link header that carries a @context (CIM 009 §6.3.5, RFC 8288)."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from rynek.base.errors import BadRequestData

REL: Final = "http://www.w3.org/ns/json-ld#context"
_TAIL: Final = f'; rel="{REL}"; type="application/ld+json"'


def link_header(url: str) -> str:
    """The value of a Link header that names `url` as the @context."""
    return f"<{url}>{_TAIL}"


@lru_cache(maxsize=1024)
def parse_link_header(value: str) -> str | None:
    """The @context's URL in a Link header; None when no link has that relation.

    BadRequestData when two links have it, or the header is no list of links.
    """
    found: list[str] = []
    for link in _links(value):
        url, parameters = _target(link)
        rel = next((v for k, v in parameters if k == "rel"), "")
        if REL in rel.split():
            found.append(url)
    if len(found) > 1:
        raise BadRequestData("more than one @context in the Link header")
    return found[0] if found else None


def _links(value: str) -> list[str]:
    """Split at commas outside of <…> and quotes."""
    links, start, quoted, angle = [], 0, False, False
    for index, char in enumerate(value):
        if char == '"' and not angle:
            quoted = not quoted
        elif char == "<" and not quoted:
            angle = True
        elif char == ">" and not quoted:
            angle = False
        elif char == "," and not quoted and not angle:
            links.append(value[start:index])
            start = index + 1
    links.append(value[start:])
    return [link.strip() for link in links if link.strip()]


def _target(link: str) -> tuple[str, list[tuple[str, str]]]:
    end = link.find(">")
    if link[:1] != "<" or end < 2:
        raise BadRequestData("the Link header is not of the form <url>; rel=…")
    parameters = []
    for piece in link[end + 1 :].split(";"):
        name, _, text = piece.strip().partition("=")
        parameters.append((name.strip().lower(), text.strip().strip('"')))
    return link[1:end].strip(), parameters
