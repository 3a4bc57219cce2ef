"""Changes → readings, and the runs of unchanged values between two of them."""

from __future__ import annotations

from typing import Any

import msgspec

from rynek.base.clock import parse_iso
from rynek.base.typed import decoder
from rynek.context import NULL, SCOPE, Change, Instance

from .schema import ENTITY, Reading

SeriesKey = tuple[str, str, str | None]
_EXACT = 2**53
_json = msgspec.json.Encoder()


class Run(msgspec.Struct, array_like=True, gc=False):
    """How often a value was observed again since its row, and when last (epoch µs)."""

    until: int
    count: int


def moment(instance: Instance, at: int) -> tuple[int, bool]:
    """(time, observed): observedAt where it can be read, else the write's own time."""
    observed = instance.observed_at
    if observed is None:
        return at, False
    try:
        return parse_iso(observed), True
    except ValueError:
        return at, False


def put_value(row: Reading, kind: str, value: Any) -> None:
    """Set the one value column of `row` that fits: number, text, lon and lat, else JSON."""
    if kind == "JsonProperty":
        row.json = _json.encode(value).decode()
    elif isinstance(value, str):
        row.text = value
    elif isinstance(value, bool):
        row.json = "true" if value else "false"
    elif isinstance(value, float) or (isinstance(value, int) and abs(value) < _EXACT):
        row.number = float(value)
    elif kind == "GeoProperty" and _is_flat_point(value):
        lon, lat = value["coordinates"]
        row.lon, row.lat = float(lon), float(lat)
    else:
        row.json = _json.encode(value).decode()


def _is_flat_point(value: Any) -> bool:
    if not isinstance(value, dict) or value.get("type") != "Point" or len(value) != 2:
        return False
    place = value.get("coordinates")
    return (
        isinstance(place, list)
        and len(place) == 2
        and all(isinstance(x, int | float) and not isinstance(x, bool) for x in place)
    )


def plain(number: float) -> float:
    """A number as documents have it: without a fraction where there is none to keep."""
    return int(number) if number.is_integer() and abs(number) < _EXACT else number


def get_value(row: Reading) -> Any:
    """The value as plain JSON; a number without a fraction comes back as an integer."""
    if row.number is not None:
        return plain(row.number)
    if row.text is not None:
        return row.text
    if row.lon is not None and row.lat is not None:
        return {"type": "Point", "coordinates": [plain(row.lon), plain(row.lat)]}
    return None if row.json is None else msgspec.json.decode(row.json)


class Meta(msgspec.Struct, omit_defaults=True):
    """The rarer members of an instance, kept as JSON in the column `meta`.

    `created` (epoch µs; first, so that a query finds it) is there where it differs from `at`.
    """

    created: int | None = None
    subs: dict[str, list[Instance]] | None = None
    object_type: list[str] | None = None
    value_type: str | None = None
    expires_at: str | None = None
    sealed: dict[str, str] | None = None


_meta_decoder = decoder(Meta)


def _meta(instance: Instance, created: int | None = None) -> str | None:
    if (
        instance.subs is None
        and instance.object_type is None
        and instance.value_type is None
        and instance.expires_at is None
        and instance.sealed is None
        and created is None
    ):
        return None
    meta = Meta(
        created,
        instance.subs,
        instance.object_type,
        instance.value_type,
        instance.expires_at,
        instance.sealed,
    )
    return _json.encode(meta).decode()


def created_at(row: Reading) -> int:
    """When the instance was created (epoch µs): with the row, or before a client changed it."""
    created = _meta_decoder.decode(row.meta).created if row.meta else None
    return row.at if created is None else created


def to_instance(row: Reading, observed_at: str | None) -> Instance:
    """The row as the model's instance; `observed_at` is the ISO text where it was observed."""
    meta = _meta_decoder.decode(row.meta) if row.meta else Meta()
    return Instance(
        kind=row.kind,
        value=get_value(row),
        dataset_id=row.dataset_id,
        observed_at=observed_at,
        unit_code=row.unit_code,
        object_type=meta.object_type,
        value_type=meta.value_type,
        expires_at=meta.expires_at,
        subs=meta.subs,
        created_at=row.at if meta.created is None else meta.created,
        modified_at=row.at,
        sealed=meta.sealed,
    )


def readings(change: Change, runs: dict[SeriesKey, Run]) -> list[Reading]:
    """The rows of one change, closing and extending `runs` as it goes.

    An `observe` makes no row: each instance it names was seen again.
    """
    if change.op == "observe":
        _extend(change, runs)
        return []
    kind = change.types[0] if change.types else ""
    rows = _rows(change, kind, runs)
    for attr, dataset_id in change.deleted:
        rows.append(_gone(change, kind, attr, dataset_id, runs))
    if change.scopes is not None:
        rows.append(_scope(change, kind, runs))
    if change.op == "delete":
        rows.append(_gone(change, kind, ENTITY, None, runs))
    return rows


def _rows(change: Change, kind: str, runs: dict[SeriesKey, Run]) -> list[Reading]:
    """A row for each instance that a change set. This is where most readings come from."""
    seq, at, entity_id, source = change.seq, change.at, change.entity_id, change.source
    rows: list[Reading] = []
    for attr, instances in change.attrs.items():
        for one in instances:
            if one.observed_at is None:
                time, observed = at, False
            else:
                time, observed = moment(one, at)
            row = Reading(
                seq, entity_id, kind, attr, one.dataset_id, one.kind, time, observed, at
            )  # fmt: skip
            # Most values are numbers and words, with nothing beside them.
            value = one.value
            if type(value) is float and one.kind != "JsonProperty":
                row.number = value
            elif type(value) is str and value != NULL and one.kind != "JsonProperty":
                row.text = value
            else:
                _put(row, one.kind, value)
            if not (
                one.subs is None
                and one.object_type is None
                and one.value_type is None
                and one.expires_at is None
                and one.sealed is None
            ):
                row.meta = _meta(one)
            if one.unit_code is not None:
                row.unit_code = one.unit_code
            if source is not None:
                row.source = source
            rows.append(row)
            if runs:
                _close(row, runs)
    return rows


def _extend(change: Change, runs: dict[SeriesKey, Run]) -> None:
    for attr, instances in change.attrs.items():
        for instance in instances:
            time, _ = moment(instance, change.at)
            key = (change.entity_id, attr, instance.dataset_id)
            run = runs.get(key)
            if run is None:
                runs[key] = Run(time, 1)
            elif time > run.until:
                run.until = time
                run.count += 1


def _row(
    change: Change, kind: str, attr: str, instance: Instance, runs: dict[SeriesKey, Run]
) -> Reading:
    row = to_reading(
        instance,
        entity_id=change.entity_id,
        type_=kind,
        attr=attr,
        seq=change.seq,
        at=change.at,
        source=change.source,
    )
    _close(row, runs)
    return row


def to_reading(
    instance: Instance,
    *,
    entity_id: str,
    type_: str,
    attr: str,
    seq: int,
    at: int,
    created: int | None = None,
    source: str | None = None,
) -> Reading:
    """An instance as a row, written at `at` (and created before, where `created` says so).

    An instance whose value is the NGSI-LD Null marks a deletion.
    """
    time, observed = moment(instance, at)
    row = Reading(
        seq, entity_id, type_, attr, instance.dataset_id, instance.kind, time, observed, at,
        unit_code=instance.unit_code, source=source,
    )  # fmt: skip
    _fill(row, instance, created)
    return row


def _fill(row: Reading, one: Instance, created: int | None) -> None:
    """Give a row the value of an instance, and its rarer members."""
    _put(row, one.kind, one.value)
    row.meta = _meta(one, created)


def _put(row: Reading, kind: str, value: Any) -> None:
    """Set the column of a value; the NGSI-LD Null marks a deletion."""
    if value == NULL:
        row.deleted, row.observed = True, False
    else:
        put_value(row, kind, value)


def _scope(change: Change, kind: str, runs: dict[SeriesKey, Run]) -> Reading:
    """The scopes that a change set, observed when it was made (§4.5.6), or that they went away."""
    scopes = change.scopes
    if not scopes:
        return _gone(change, kind, SCOPE, None, runs)
    value: Any = scopes[0] if len(scopes) == 1 else scopes
    row = _row(change, kind, SCOPE, Instance("Property", value), runs)
    row.observed = True
    return row


def _gone(
    change: Change, kind: str, attr: str, dataset_id: str | None, runs: dict[SeriesKey, Run]
) -> Reading:
    row = Reading(
        seq=change.seq,
        entity_id=change.entity_id,
        type=kind,
        attr=attr,
        dataset_id=dataset_id,
        kind="Property" if attr == SCOPE else change.kinds.get(attr, ""),
        time=change.at,
        observed=False,
        at=change.at,
        deleted=True,
        source=change.source,
    )
    _close(row, runs)
    return row


def _close(row: Reading, runs: dict[SeriesKey, Run]) -> None:
    run = runs.pop((row.entity_id, row.attr, row.dataset_id), None)
    if run is not None:
        row.previous_until, row.previous_count = run.until, run.count
