"""Documents that lie beside the one that refers to them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rynek.feeds.contract import FeedConfig
from rynek.feeds.transport.bounded import read_bounded
from rynek.feeds.transport.contract import Payload


def read_beside(
    folder: Path, documents: Sequence[tuple[str, str]], config: FeedConfig
) -> list[Payload]:
    """The (part, reference) documents that are there, `.gz` or not.

    A reference that stands in the feed's own options may be any path, relative to `folder`. One
    that stands in a document is taken by its last part only: data never chooses a path.
    """
    own = {str(value) for value in config.options.values() if isinstance(value, str)}
    found: list[Payload] = []
    for part, reference in documents:
        if reference.startswith(("http://", "https://")) or reference not in own:
            path = folder / reference.rsplit("/", 1)[-1].split("?", 1)[0]
        else:
            path = folder / Path(reference.removeprefix("file://")).expanduser()
        for candidate in (path, path.with_name(f"{path.name}.gz")):
            if candidate.is_file():
                found.append(_read(candidate, part, config.max_bytes))
                break
    return found


def _read(path: Path, part: str, max_bytes: int) -> Payload:
    return Payload(read_bounded(path, max_bytes), part, path.name.removesuffix(".gz"))
