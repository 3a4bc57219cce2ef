"""Answers that are one page of several: what they say of the rest, and where it is.

CKAN, Opendatasoft, Socrata, ArcGIS, SensorThings, WFS, OpenAQ and GIOŚ each say it in their way.
"""

from __future__ import annotations

from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit, urlunsplit

import msgspec

from rynek.base.http import same_origin
from rynek.feeds.contract import Situation
from rynek.feeds.kit.checked import whole

MAX_PAGES = 32
PART = "page-"
_FIRST_GUESS = 3
_SOCRATA_PAGE = 1000
_NUMBER = ("page", "currentPage", "pageNumber", "current_page")


class More(NamedTuple):
    """What a page says of the others: how many there are besides (None: unknown, at least one),
    and how the n-th is asked for: query members with their value on page 0 and their step."""

    pages: int | None
    url: str
    steps: dict[str, tuple[int, int]]
    told: str


def more_of(document: Any, count: int, url: str) -> More | None:
    """What the document, which has `count` records, says of further pages; None for a whole one."""
    if count < 1:
        return None
    if not isinstance(document, dict):
        query = dict(parse_qsl(urlsplit(url).query))
        page = whole(query.get("$limit")) or _SOCRATA_PAGE
        # More than a page is the whole of something else.
        if "/resource/" in urlsplit(url).path and count == page:
            return More(None, url, {"$offset": (0, page)}, f"a full page of {count}")
        return None
    for ask in (_ckan, _opendatasoft, _esri, _things, _wfs, _numbered):
        found = ask(document, count, url)
        if found is not None:
            return found
    return None


def _of(total: int | None, count: int, url: str, **steps: int) -> More | None:
    """More, where `total` is greater than what the page has."""
    if total is None or total <= count:
        return None
    query = dict(parse_qsl(urlsplit(url).query))
    named = {name.replace("S_", "$"): step for name, step in steps.items()}
    first = {name: whole(query.get(name)) or 0 for name in named}
    left = total - count - max(first.values())
    if left <= 0:
        return None
    begun = {name: (first[name], step) for name, step in named.items()}
    return More(-(-left // count), url, begun, f"{count} of {total}")


def _ckan(document: dict[str, Any], count: int, url: str) -> More | None:
    result = document.get("result")
    if not isinstance(result, dict) or "records" not in result:
        return None
    return _of(whole(result.get("total")), count, url, offset=count)


def _opendatasoft(document: dict[str, Any], count: int, url: str) -> More | None:
    if "nhits" in document:
        return _of(whole(document["nhits"]), count, url, start=count)
    return _of(whole(document.get("total_count")), count, url, offset=count)


def _esri(document: dict[str, Any], count: int, url: str) -> More | None:
    inner = document.get("properties")
    beyond = document.get("exceededTransferLimit")
    if beyond is None and isinstance(inner, dict):
        beyond = inner.get("exceededTransferLimit")
    if beyond is not True:
        return None
    steps = {"resultOffset": (_start(url, "resultOffset"), count)}
    return More(None, url, steps, f"{count}, and the transfer limit was exceeded")


def _things(document: dict[str, Any], count: int, url: str) -> More | None:
    link = document.get("@iot.nextLink", document.get("@nextLink"))
    if not isinstance(link, str):
        return None
    total = whole(document.get("@iot.count"))
    steps = {"$skip": (_start(url, "$skip"), count)} if "skip=" in link else {}
    pages = -(-(total - count) // count) if total is not None and total > count else None
    return More(pages if steps else 1, _at_home(url, link), steps, f"{count} and @iot.nextLink")


def _at_home(url: str, link: str) -> str:
    """The next page at the address that the first came from: behind a proxy a server writes links
    to a name of its own, and nobody else is to be asked."""
    there = urljoin(url, link)
    if same_origin(there, url):
        return there
    return urlunsplit(urlsplit(url)._replace(query=urlsplit(there).query))


def _wfs(document: dict[str, Any], count: int, url: str) -> More | None:
    total = document.get("numberMatched", document.get("totalFeatures"))
    return _of(whole(total), count, url, startIndex=count)


def _numbered(document: dict[str, Any], count: int, url: str) -> More | None:
    """Pages with numbers: OpenAQ (`meta`) and GIOŚ (`totalPages`)."""
    meta = document.get("meta")
    if isinstance(meta, dict) and "found" in meta:
        limit, found = whole(meta.get("limit")) or count, str(meta["found"])
        number = max(1, whole(meta.get("page")) or 1)
        if found.startswith(">"):
            return More(None, url, {"page": (number, 1)}, f"{count} of {found}")
        total = whole(found) or 0
        left = -(-total // limit) - number
        return More(left, url, {"page": (number, 1)}, f"{count} of {total}") if left > 0 else None
    pages = whole(document.get("totalPages")) or 0
    number = _start(url, "page")
    if not number and any(document.get(name) == 1 for name in _NUMBER):
        # The first page is number 1, and then the last is that of their count.
        number, pages = 1, pages + 1
    if pages - number > 1:
        told = f"page {number} of {document['totalPages']}"
        return More(pages - 1 - number, url, {"page": (number, 1)}, told)
    return None


def _start(url: str, name: str) -> int:
    return whole(dict(parse_qsl(urlsplit(url).query)).get(name)) or 0


def page_urls(more: More, situation: Situation) -> list[tuple[str, str]]:
    """The (part, URL) of the further pages to ask for in this poll, 31 at most. Where their number
    is unknown, three, and twice as many in the next poll as long as the last one is full."""
    guess = int(situation.memory.setdefault("pages", _FIRST_GUESS))
    wanted = min(guess if more.pages is None else more.pages, MAX_PAGES - 1)
    return [(f"{PART}{n}", _url(more, n)) for n in range(1, wanted + 1)]


def _url(more: More, number: int) -> str:
    parts = urlsplit(more.url)
    # A portal takes a member several times: each `refine` is a filter of its own.
    query = [pair for pair in parse_qsl(parts.query, keep_blank_values=True)
             if pair[0] not in more.steps]  # fmt: skip
    query += [(name, str(first + number * step)) for name, (first, step) in more.steps.items()]
    return urlunsplit(parts._replace(query=urlencode(query, safe="$,:()/*'")))


def tell(more: More, situation: Situation) -> None:
    """Count what a page says of others that this poll does not read."""
    findings, part = situation.findings, situation.part
    if not situation.config.source.startswith(("http://", "https://")):
        findings.add("more-pages", "warning", f"{more.told}; the file holds one page only")
        return
    number = int(part.removeprefix(PART)) if part.startswith(PART) else 0
    guess = int(situation.memory.get("pages", _FIRST_GUESS))
    if more.pages is None and number == min(guess, MAX_PAGES - 1):
        situation.memory["pages"] = min(guess * 2, MAX_PAGES - 1)
        hint = "the next poll reads them" if number < MAX_PAGES - 1 else _HINT
        findings.add("more-pages", "warning", f"{more.told}: {hint}")
    elif more.pages is not None and not number and more.pages >= MAX_PAGES:
        findings.add("more-pages", "error", f"{more.told}: {_HINT}")
    elif number and not more.steps:
        # A link that names no number leads to the next page only, and that page to another.
        findings.add("more-pages", "error", f"{more.told}: {_HINT}")


def tell_again(first: Any, situation: Situation) -> None:
    """Count a page that begins with the same record as another of this poll: the server takes no
    notice of what tells pages apart, and the rest of its records is not read."""
    seen: dict[str, bytes] = situation.memory.setdefault("firsts", {})
    part = situation.part
    if part == f"{PART}1":
        seen.clear()
    if not part and not seen:
        return
    try:
        begins = msgspec.json.encode(first)
    except (msgspec.EncodeError, ValueError, RecursionError):
        return
    if begins in seen.values():
        situation.findings.add("pages-alike", "error", f"{part or 'the first page'}: {_HINT}")
    seen[part] = begins
    if not part:
        seen.clear()


_HINT = "ask for larger pages or fewer records in the URL"
