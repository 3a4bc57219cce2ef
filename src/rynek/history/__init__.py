"""What was: every reading in one open Delta table per tenant, and typed questions over it."""

from __future__ import annotations

from .aggregate import AggregateQuery
from .backup import TableFiles, table_files
from .engine import EngineSettings
from .following import FollowerSettings, FollowerState
from .history import History, HistorySettings, HistoryStats
from .measures import METHODS, value_of
from .mending import Fault, Repaired, faults, repair
from .merge import MergeSettings
from .overlay import FILE as OVERLAY_FILE
from .periods import Buckets, parse_duration
from .record import Answer, Record
from .reference import ParquetReference
from .schema import Reading, to_readings
from .select import Selection
from .setaside import count_set_aside
from .upkeep import UpkeepSettings

__all__ = [
    "METHODS",
    "OVERLAY_FILE",
    "AggregateQuery",
    "Answer",
    "Buckets",
    "EngineSettings",
    "Fault",
    "FollowerSettings",
    "FollowerState",
    "History",
    "HistorySettings",
    "HistoryStats",
    "MergeSettings",
    "ParquetReference",
    "Reading",
    "Record",
    "Repaired",
    "Selection",
    "TableFiles",
    "UpkeepSettings",
    "count_set_aside",
    "faults",
    "parse_duration",
    "repair",
    "table_files",
    "to_readings",
    "value_of",
]
