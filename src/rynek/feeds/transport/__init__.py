"""Where a feed's bytes come from; every source answers `fetch` with what is new."""

from rynek.feeds.transport.contract import Payload, Source, SourceError
from rynek.feeds.transport.file import FileSource
from rynek.feeds.transport.http import Fetched, Fetcher, HttpSource
from rynek.feeds.transport.recording import Item, Recording, open_recording
from rynek.feeds.transport.replay import Replay, ReplayClock, ReplayOptions, ReplaySource
from rynek.feeds.transport.webhook import WebhookSource

__all__ = [
    "Fetched",
    "Fetcher",
    "FileSource",
    "HttpSource",
    "Item",
    "Payload",
    "Recording",
    "Replay",
    "ReplayClock",
    "ReplayOptions",
    "ReplaySource",
    "Source",
    "SourceError",
    "WebhookSource",
    "open_recording",
]
