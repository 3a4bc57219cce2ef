"""A path or URL → the documents in it, in order of time, and which kind of feed they are."""

from __future__ import annotations

from pathlib import Path

from rynek.feeds.contract import FeedConfig
from rynek.feeds.kit.content import inflate, is_zip, tar_members, zip_members
from rynek.feeds.registry import kinds
from rynek.feeds.transport import Fetcher, Payload
from rynek.feeds.transport.http import GONE, headers_for
from rynek.feeds.transport.recording import time_in_name

HEAD = 64 * 1024
MAX_DOCUMENTS = 20_000
SURE = 0.2


class Missing(ValueError):
    """The server has no such document."""


def read_path(path: Path, max_bytes: int, zone: str) -> list[Payload]:
    """The documents of a file, an archive or a folder (and the folders in it).

    ValueError when there is nothing, or more than `max_bytes` in all.
    """
    if not path.exists():
        raise ValueError(f"there is no file or folder {path}")
    files = sorted(item for item in path.rglob("*") if item.is_file()) if path.is_dir() else [path]
    found: list[Payload] = []
    left = max_bytes
    for file in files[:MAX_DOCUMENTS]:
        if file.name.startswith("."):
            continue
        name = str(file.relative_to(path)) if path.is_dir() else file.name
        for payload in _unpacked(file, name, left):
            payload.at = time_in_name(payload.name.rsplit("/", 1)[-1], zone)
            found.append(payload)
            left -= len(payload.data)
            if left < 0:
                raise ValueError(f"more than {max_bytes} bytes in all")
    if not found:
        raise ValueError(f"{path} is empty")
    return sorted(found, key=lambda payload: (payload.at or 0, payload.name))


async def read_url(url: str, config: FeedConfig, guard: Fetcher) -> Payload:
    """What a URL answers; ValueError for any status but 200."""
    answer = await guard.fetch(
        url,
        headers=headers_for(url, config),
        max_bytes=config.max_bytes,
        timeout=config.timeout,
    )
    if answer.status in GONE:
        raise Missing(f"the server answered {answer.status} for {answer.url}")
    if answer.status != 200:
        raise ValueError(f"the server answered {answer.status}")
    return Payload(inflate(answer.body, config.max_bytes), "", answer.url)


def recognise(payloads: list[Payload]) -> str:
    """The kind of feed that reads most of the documents; ValueError when none does.

    Documents that this kind does not read are taken out of the list.
    """
    scores = {
        kind: [found.connector.sniff(head_of(payload.data), payload.name) for payload in payloads]
        for kind, found in kinds().items()
    }
    best = max(scores, key=lambda kind: sum(scores[kind]))
    if sum(scores[best]) <= SURE:
        known = ", ".join(scores)
        if all(payload.data.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"<" for payload in payloads):
            raise ValueError(
                "XML or HTML, which no kind of feed reads (DATEX II, SIRI, NeTEx, GML are gaps); many "
                "services give the same as JSON, GeoJSON or CSV when asked by a parameter of the URL"
            )
        raise ValueError(f"not recognised; name the kind of feed, there are: {known}")
    payloads[:] = [
        payload for payload, score in zip(payloads, scores[best], strict=True) if score > SURE
    ]
    return best


def head_of(data: bytes) -> bytes:
    """What a kind is recognised by: the start, and of a zip the end too, where its files are named."""
    if is_zip(data) and len(data) > HEAD:
        return data[: HEAD // 2] + data[-HEAD // 2 :]
    return data[:HEAD]


def _unpacked(file: Path, name: str, left: int) -> list[Payload]:
    with file.open("rb") as stream:
        data = stream.read(left + 1)
    if len(data) > left:
        raise ValueError(f"{file}: more than {left} bytes")
    if name.endswith((".tar", ".tar.gz", ".tgz")):
        return [Payload(content, "", member) for member, content in tar_members(data, left)]
    data = inflate(data, left)
    name = name.removesuffix(".gz")
    if is_zip(data) and not _read_as_zip(data, name):
        members = zip_members(data, left)
        return [Payload(content, "", member) for member, content in sorted(members.items())]
    return [Payload(data, "", name)]


def _read_as_zip(data: bytes, name: str) -> bool:
    """Whether some connector takes the zip as it is (a schedule, a spreadsheet)."""
    return any(found.connector.sniff(head_of(data), name) > 0.5 for found in kinds().values())
