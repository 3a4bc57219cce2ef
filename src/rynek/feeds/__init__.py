"""Connectors: bytes from a source become entities; what several share stands in feeds/kit."""

from rynek.feeds.checking import CheckReport, check
from rynek.feeds.contract import (
    Connector,
    Document,
    FeedConfig,
    Finding,
    Findings,
    Sink,
    Situation,
    WriteReport,
)
from rynek.feeds.files import list_feeds, load_feed, save_feed
from rynek.feeds.health import FeedHealth
from rynek.feeds.kit.compact import compact_tables
from rynek.feeds.kit.timetable import ScheduledVehicle, Timetable
from rynek.feeds.past import past_batches
from rynek.feeds.polls import past_readings
from rynek.feeds.registry import Kind, Manifest, Option, kind_of, kinds
from rynek.feeds.runner import FeedRunner
from rynek.feeds.transport import (
    Fetcher,
    Recording,
    ReplayClock,
    ReplayOptions,
    open_recording,
)

__all__ = [
    "CheckReport",
    "Connector",
    "Document",
    "FeedConfig",
    "FeedHealth",
    "FeedRunner",
    "Fetcher",
    "Finding",
    "Findings",
    "Kind",
    "Manifest",
    "Option",
    "Recording",
    "ReplayClock",
    "ReplayOptions",
    "ScheduledVehicle",
    "Sink",
    "Situation",
    "Timetable",
    "WriteReport",
    "check",
    "compact_tables",
    "kind_of",
    "kinds",
    "list_feeds",
    "load_feed",
    "open_recording",
    "past_batches",
    "past_readings",
    "save_feed",
]
