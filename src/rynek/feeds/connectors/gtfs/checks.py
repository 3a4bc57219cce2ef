"""What is odd about a schedule, counted as findings."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rynek.feeds.connectors.gtfs.services import EPOCH, day_text
from rynek.feeds.connectors.gtfs.tables import positions_in
from rynek.feeds.contract import Findings, Situation
from rynek.feeds.kit import local_day, zone_of

_REQUIRED = ("agency", "routes", "stops", "trips", "stop_times")


def files(found: set[str], findings: Findings) -> None:
    """Files that the specification requires."""
    for name in _REQUIRED:
        if name not in found:
            findings.add("file-missing", "error", f"{name}.txt")
    if not found & {"calendar", "calendar_dates"}:
        findings.add("file-missing", "error", "calendar.txt or calendar_dates.txt")


def content(raw: dict[str, pa.Table], tables: dict[str, pa.Table], situation: Situation) -> None:
    """Ids, references, times and days."""
    findings = situation.findings
    for name, key in (("routes", "route_id"), ("stops", "stop_id"), ("trips", "trip_id")):
        _keys(raw[name], name, key, findings)
    _references(raw, tables, findings)
    _trips(tables, findings)
    _days(tables, situation)
    _agencies(raw["agency"], situation)


def _keys(table: pa.Table, name: str, key: str, findings: Findings) -> None:
    column = table[key]
    if column.null_count:
        findings.add("id-missing", "error", f"{name}.txt {key}", column.null_count)
    counted = pc.value_counts(column.drop_null().combine_chunks())
    twice = counted.filter(pc.greater(counted.field("counts"), 1))
    if len(twice):
        findings.add("id-twice", "error", f"{name}.txt: {twice[0]['values']}", len(twice))


def _references(raw: dict[str, pa.Table], tables: dict[str, pa.Table], findings: Findings) -> None:
    trips = tables["trips"]
    pairs = [("route-unknown", trips["route_id"], raw["routes"]["route_id"])]
    if raw["shapes"].num_rows:
        pairs.append(("shape-unknown", trips["shape_id"], raw["shapes"]["shape_id"]))
    if tables["service_days"].num_rows:
        pairs.append(("service-unknown", trips["service_id"], tables["service_days"]["service_id"]))
    for code, column, keys in pairs:
        present = column.drop_null()
        wrong = np.flatnonzero(positions_in(present, keys) < 0)
        if wrong.size:
            example = present[int(wrong[0])].as_py()
            findings.add(code, "warning", f"trips.txt: {example}", int(wrong.size))
    if not raw["shapes"].num_rows and trips["shape_id"].null_count < trips.num_rows:
        findings.add("shapes-missing", "warning", "trips name shapes, but there is no shapes.txt")
    parents = raw["stops"]["parent_station"].drop_null()
    lost = int((positions_in(parents, raw["stops"]["stop_id"]) < 0).sum())
    if lost:
        findings.add("station-unknown", "warning", "stops.txt parent_station", lost)


def _trips(tables: dict[str, pa.Table], findings: Findings) -> None:
    times = tables["stop_times"]
    trip, arrival = times["trip"].to_numpy(), times["arrival"].to_numpy()
    counts = np.bincount(trip, minlength=tables["trips"].num_rows)
    empty = np.flatnonzero(counts == 0)
    if empty.size:
        example = tables["trips"]["trip_id"][int(empty[0])].as_py()
        findings.add("trip-without-times", "warning", example, int(empty.size))
    single = int((counts == 1).sum())
    if single:
        example = tables["trips"]["trip_id"][int(np.flatnonzero(counts == 1)[0])].as_py()
        findings.add("trip-of-one-stop", "warning", example, single)
    same = (trip[1:] == trip[:-1]) & (arrival[1:] >= 0) & (arrival[:-1] >= 0)
    back = np.flatnonzero(same & (arrival[1:] < arrival[:-1]))
    if back.size:
        example = tables["trips"]["trip_id"][int(trip[back[0]])].as_py()
        findings.add("time-goes-back", "error", f"trip {example}", int(back.size))
    unused = tables["stops"].num_rows - len(np.unique(times["stop"].to_numpy()))
    if unused:
        findings.add("stop-without-times", "info", "stops.txt", unused)


def _days(tables: dict[str, pa.Table], situation: Situation) -> None:
    days = tables["service_days"]["day"]
    findings = situation.findings
    if not len(days):
        findings.add("no-service-days", "error", "no day on which anything runs")
        return
    first, last = int(pc.min(days).as_py()), int(pc.max(days).as_py())
    zone = str(tables["feed"]["zone"][0].as_py())
    try:
        today = (local_day(situation.now, zone) - EPOCH) // timedelta(days=1)
    except ValueError:
        return
    if last < today:
        findings.add("schedule-expired", "warning", f"the last day is {day_text(last)}")
    elif first > today:
        findings.add("schedule-not-begun", "info", f"the first day is {day_text(first)}")


def _agencies(agency: pa.Table, situation: Situation) -> None:
    findings, provider = situation.findings, situation.config.provider
    names = [name for name in agency["agency_name"].to_pylist() if name]
    if provider and names and not any(_alike(provider, name) for name in names):
        findings.add("agency-differs", "warning", f"{names[0]}, while the provider is {provider}")
    zones = {zone for zone in agency["agency_timezone"].to_pylist() if zone}
    if len(zones) > 1:
        findings.add("zone-differs", "warning", ", ".join(sorted(zones)))
    for zone in zones:
        try:
            zone_of(zone)
        except ValueError:
            findings.add("zone-unknown", "error", zone)


def _alike(one: str, other: str) -> bool:
    return one.casefold() in other.casefold() or other.casefold() in one.casefold()
