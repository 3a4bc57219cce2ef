"""What to ask a broker: the URL of the first page, headers, and the URLs of the next pages."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import msgspec

from rynek.feeds.contract import FeedConfig

ENTITIES = "/ngsi-ld/v1/entities"
LD = "http://www.w3.org/ns/json-ld#context"
MAX_PAGES = 32


def is_broker(source: str) -> bool:
    """Whether the source is asked over HTTP."""
    return source.startswith(("http://", "https://"))


def prepared(config: FeedConfig) -> FeedConfig:
    """The configuration with the options put into URL and headers (CIM 009 §6.4.3.2).

    ValueError when neither the options nor the URL say which entities are wanted, or when the
    page size is not from 1 to 1000. Preparing twice changes nothing more.
    """
    if not is_broker(config.source):
        return config
    options = config.options
    limit = int(options.get("limit", 500))
    if not 1 <= limit <= 1000:
        raise ValueError(f"{config.name}: option 'limit' must be from 1 to 1000")
    parts = urlsplit(config.source)
    path = parts.path.rstrip("/")
    if not path.endswith("/entities"):
        path = path + ("/entities" if path.endswith("/v1") else ENTITIES)
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    types = ",".join(str(kind) for kind in options.get("types") or ())
    for name, value in (("type", types), ("q", str(options.get("q") or ""))):
        if value:
            query.setdefault(name, value)
    if not query.keys() & {"type", "q", "id", "idPattern", "attrs", "georel", "local"}:
        raise ValueError(f"{config.name}: give option 'types': which entities to ask for")
    query.setdefault("limit", str(limit))
    headers = {"Accept": "application/json"} | config.headers
    if options.get("tenant"):
        headers.setdefault("NGSILD-Tenant", str(options["tenant"]))
    if options.get("context"):
        link = f'<{options["context"]}>; rel="{LD}"; type="application/ld+json"'
        headers.setdefault("Link", link)
    url = urlunsplit((parts.scheme, parts.netloc, path, urlencode(query, safe=",:"), ""))
    return msgspec.structs.replace(config, source=url, headers=headers)


def page_size(config: FeedConfig) -> int:
    """How many entities a full page has."""
    query = dict(parse_qsl(urlsplit(config.source).query))
    try:
        return max(1, int(query.get("limit", config.options.get("limit", 500))))
    except ValueError:
        return 500


def page_url(config: FeedConfig, number: int) -> str:
    """The URL of page `number`, the first being 0."""
    parts = urlsplit(config.source)
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    query["offset"] = str(int(query.get("offset") or 0) + number * page_size(config))
    return urlunsplit(parts._replace(query=urlencode(query, safe=",:")))
