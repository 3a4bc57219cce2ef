"""Typed questions against the same answers computed by hand from recorded bike-share counts."""

from __future__ import annotations

import csv
import gzip
import statistics
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from tests.history.support import HOUR, T0, ListLog, change, iri, number
from tests.history.test_follow import with_history

from rynek.base.errors import BadRequestData, TooComplexQuery
from rynek.context import TemporalQuery
from rynek.history import AggregateQuery, History, Selection, UpkeepSettings, to_readings

ZONE = ZoneInfo("Europe/Prague")
BIKES = "availableBikeNumber"
Point = tuple[str, int, float]


@pytest.fixture(scope="module")
def points(data: Path) -> list[Point]:
    """The first 20,000 recorded counts: station, epoch µs, bikes."""
    found = []
    with gzip.open(data / "bikeshare/pardubice/2021-06.csv.gz", "rt") as file:
        for row in csv.DictReader(file):
            local = datetime.fromisoformat(row["dt"]).replace(tzinfo=ZONE)
            micros = int(local.timestamp()) * 1_000_000
            found.append((f"urn:ngsi-ld:Dock:{row['uid']}", micros, float(row[_BIKES])))
            if len(found) == 20_000:
                break
    return found


_BIKES = "bikes_available_to_rent"


def batches(points: list[Point], size: int = 3000) -> Iterator[pa.RecordBatch]:
    """Points as a connector would bring them."""
    for start in range(0, len(points), size):
        part = points[start : start + size]
        yield pa.record_batch(
            {
                "entity_id": pa.array([p[0] for p in part]),
                "type": pa.array(["BikeHireDockingStation"] * len(part)),
                "attr": pa.array([BIKES] * len(part)),
                "kind": pa.array(["Property"] * len(part)),
                "number": pa.array([p[2] for p in part]),
                "observed_at": pa.array([p[1] for p in part], pa.int64()),
            }
        )


def test_bulk_is_stored_once_and_goes_on_where_it_broke_off(
    tmp_path: Path, points: list[Point], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rynek.history.sink.CHUNK_ROWS", 7000)

    async def test(history: History) -> None:
        def broken() -> Iterator[pa.RecordBatch]:
            for count, batch in enumerate(batches(points)):
                if count == 6:
                    raise ConnectionError("the source went away")
                yield batch

        with pytest.raises(ConnectionError):
            await history.sink.append("june", broken(), iri)
        progress: list[int] = []
        written = await history.sink.append("june", batches(points), iri, progress.append)
        assert (written.rows, written.skipped) == (13_000, 7_000)
        assert progress == [7_000, 14_000, 20_000]
        again = await history.sink.append("june", batches(points), iri)
        assert (again.rows, again.skipped) == (0, 20_000)
        table = await history.rows(Selection(attrs=(iri(BIKES),)))
        stored = [(row.entity_id, row.time, row.number) for row in to_readings(table)]
        assert stored == sorted(points)
        rows = to_readings(table)
        assert len({row.seq for row in rows}) == len(rows)
        assert all(row.seq < 0 and row.source == "bulk:june" for row in rows)

    with_history(tmp_path, test, ListLog())


def test_the_newest_values_of_a_recording_go_to_the_state(
    tmp_path: Path, points: list[Point]
) -> None:
    async def test(history: History) -> None:
        await history.sink.append("june", batches(points), iri)
        documents = {one["id"]: one for one in history.sink.newest("june")}
        newest: dict[str, tuple[int, float]] = {}
        for entity, time, value in points:
            newest[entity] = max(newest.get(entity, (0, 0.0)), (time, value))
        assert {one: doc[BIKES]["value"] for one, doc in documents.items()} == {
            one: value for one, (_, value) in newest.items()
        }
        assert {doc["type"] for doc in documents.values()} == {"BikeHireDockingStation"}
        assert history.sink.newest("june") == []

    with_history(tmp_path, test, ListLog())


def test_bulk_refuses_what_it_cannot_read(tmp_path: Path) -> None:
    async def test(history: History) -> None:
        whole = next(batches([("urn:x:1", T0, 1.0)]))
        with pytest.raises(ValueError, match="entity_id"):
            await history.sink.append("a", [whole.drop_columns(["entity_id"])], iri)
        place = whole.schema.get_field_index("number")
        with pytest.raises(ValueError, match="number"):
            await history.sink.append("b", [whole.set_column(place, "number", [["x"]])], iri)
        empty = pa.array([None], pa.string())
        with pytest.raises(ValueError, match="nulls"):
            await history.sink.append("c", [whole.set_column(0, "entity_id", empty)], iri)
        assert history.stats().rows == 0

    with_history(tmp_path, test, ListLog())


def test_aggregates_equal_those_computed_by_hand(tmp_path: Path, points: list[Point]) -> None:
    async def test(history: History) -> None:
        await history.sink.append("june", batches(points), iri)
        query = AggregateQuery(
            select=Selection(attrs=(iri(BIKES),)),
            methods=(
                "avg", "min", "max", "sum", "totalCount", "distinctCount", "stddev", "sumsq",
            ),
            group=("entity_id",),
            bucket="P1D",
        )  # fmt: skip
        rows = (await history.aggregate(query)).to_pylist()
        groups: dict[tuple[str, datetime], list[float]] = defaultdict(list)
        for entity, time, value in points:
            local = datetime.fromtimestamp(time / 1e6, ZONE)
            groups[entity, local.replace(hour=0, minute=0, second=0, microsecond=0)].append(value)
        assert len(rows) == len(groups)
        for row in rows:
            start = datetime.fromtimestamp(row["start"] / 1e6, ZONE)
            values = groups[row["entity_id"], start]
            assert row["totalCount"] == len(values)
            assert row["distinctCount"] == len(set(values))
            assert (row["min"], row["max"], row["sum"]) == (min(values), max(values), sum(values))
            assert row["avg"] == pytest.approx(statistics.fmean(values))
            assert row["stddev"] == pytest.approx(statistics.pstdev(values))
            assert row["sumsq"] == pytest.approx(sum(value * value for value in values))

    with_history(tmp_path, test, ListLog())


def test_latest_and_the_value_that_held_at_a_moment(tmp_path: Path, points: list[Point]) -> None:
    async def test(history: History) -> None:
        await history.sink.append("june", batches(points), iri)
        # One station fell silent on the first day; the others went on.
        at = points[15_000][1]
        silent = "urn:ngsi-ld:Dock:silent"
        one = [(silent, points[0][1], 5.0)]
        await history.sink.append("silent", batches(one), iri)
        held: dict[str, tuple[int, float]] = {}
        for entity, time, value in points + one:
            if time <= at:
                held[entity] = max(held.get(entity, (0, 0.0)), (time, value))
        stations = sorted(held)
        table = await history.latest(stations, [iri(BIKES)], at=at)
        found = {row.entity_id: (row.time, row.number) for row in to_readings(table)}
        assert found == held
        assert (await history.latest([silent], [iri(BIKES)])).num_rows == 1

    with_history(tmp_path, test, ListLog())


def test_months_and_days_follow_the_zone_through_the_change_of_clocks(tmp_path: Path) -> None:
    log = ListLog()
    start = int(datetime(2026, 3, 27, tzinfo=UTC).timestamp()) * 1_000_000

    async def test(history: History) -> None:
        for hour in range(24 * 7):
            time = start + hour * HOUR
            log.write(change("update", "urn:x:1", {"load": number(1, time)}, at=time))
        select = Selection(attrs=(iri("load"),))
        days = (await history.aggregate(AggregateQuery(
            select=select, methods=("totalCount",), group=(), bucket="P1D"))).to_pylist()  # fmt: skip
        counts = {_local(row["start"]).strftime("%m-%d"): row["totalCount"] for row in days}
        assert counts["03-28"] == 24
        assert counts["03-29"] == 23
        assert counts["03-30"] == 24
        months = (await history.aggregate(AggregateQuery(
            select=select, methods=("totalCount",), group=(), bucket="P1M"))).to_pylist()  # fmt: skip
        first = datetime(2026, 4, 1, tzinfo=ZoneInfo("Europe/Warsaw"))
        april = int(first.timestamp()) * 1_000_000
        assert [row["start"] for row in months][1:] == [april]
        assert sum(row["totalCount"] for row in months) == 24 * 7
        assert months[0]["totalCount"] == (april - start) // HOUR
        weeks = (await history.aggregate(AggregateQuery(
            select=select, methods=("sum",), group=(), bucket="P1W"))).to_pylist()  # fmt: skip
        assert [_local(row["start"]).weekday() for row in weeks] == [0, 0]

    with_history(tmp_path, test, log)


def test_periods_of_months_and_less_together_start_at_the_origin(tmp_path: Path) -> None:
    log = ListLog()

    def micros(year: int, month: int, day: int) -> int:
        return int(datetime(year, month, day, tzinfo=UTC).timestamp()) * 1_000_000

    async def test(history: History) -> None:
        first = micros(2026, 1, 31)
        bounds = [first, micros(2026, 3, 1), micros(2026, 4, 2), micros(2026, 5, 3)]
        times = [first, bounds[1] - 1, bounds[1], bounds[2] - 1, bounds[2], bounds[3] - 1]
        for time in times:
            log.write(change("update", "urn:x:1", {"load": number(1, time)}, at=time))
        select = Selection(attrs=(iri("load"),), start=first)
        query = AggregateQuery(select=select, methods=("totalCount",), bucket="P1M1D", origin=first)
        rows = (await history.aggregate(query)).to_pylist()
        assert [(row["start"], row["end"], row["totalCount"]) for row in rows] == [
            (bounds[0], bounds[1], 2), (bounds[1], bounds[2], 2), (bounds[2], bounds[3], 2),
        ]  # fmt: skip
        far = AggregateQuery(select=Selection(), bucket="P1M1D", origin=-(10**16))
        with pytest.raises(TooComplexQuery):
            await history.aggregate(far)

    with_history(tmp_path, test, log)


def _local(micros: int) -> datetime:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros)
    return moment.astimezone(ZoneInfo("Europe/Warsaw"))


@pytest.mark.parametrize("count", [1, 3, 40])
def test_some_entities_of_many_in_files_and_above(tmp_path: Path, count: int) -> None:
    """However they are read: one by one or joined, with newer rows and with corrections."""
    log = ListLog()
    ids = [f"urn:x:{number:02d}" for number in range(60)]

    async def test(history: History) -> None:
        for step in range(3):
            for number_, entity_id in enumerate(ids):
                value = number(step * 100 + number_, T0 + step * HOUR)
                log.write(change("update", entity_id, {"load": value}, at=T0 + step * HOUR))
            if step < 2:
                await history.flush()
        await history.edit.delete_attribute(ids[2], iri("load"), now=T0 + 9 * HOUR)
        wanted = ids[59:0:-1][-count:]
        shown = await history.evolution(wanted, TemporalQuery(last_n=2))
        expected = {
            one: [100 + ids.index(one), 200 + ids.index(one)] for one in wanted if one != ids[2]
        }
        values = {
            one: [i.instance.value for i in past.attrs[iri("load")]] for one, past in shown.items()
        }
        assert values == expected
        query = AggregateQuery(select=Selection(entity_ids=tuple(wanted)), methods=("sum",))
        sums = {
            row["entity_id"]: row["sum"] for row in (await history.aggregate(query)).to_pylist()
        }
        assert sums == {one: 300 + 3 * ids.index(one) for one in expected}

    with_history(tmp_path, test, log)


def test_unknown_methods_and_lengths_are_refused(tmp_path: Path) -> None:
    async def test(history: History) -> None:
        for query in (
            AggregateQuery(select=Selection(), methods=("median",)),
            AggregateQuery(select=Selection(), bucket="an hour"),
            AggregateQuery(select=Selection(), bucket="P1M1"),
        ):
            with pytest.raises(BadRequestData):
                await history.aggregate(query)

    with_history(tmp_path, test, ListLog())


def test_compaction_keeps_rows_and_order_and_other_readers_see_the_same(
    tmp_path: Path, points: list[Point]
) -> None:
    import pyarrow.parquet as pq
    from deltalake import DeltaTable

    async def test(history: History) -> None:
        for start in range(0, 20_000, 2_000):
            part = points[start : start + 2_000]
            await history.sink.append(f"part {start}", batches(part), iri)
        before = await history.rows(Selection())
        files = history.stats().files
        assert history.upkeep.compact() > 0
        assert history.stats().files < files
        assert (await history.rows(Selection())).equals(before)
        folder = tmp_path / "history" / "readings"
        table = DeltaTable(folder)
        assert table.to_pyarrow_table().num_rows == 20_000
        paths = table.file_uris()
        assert len(paths) == history.stats().files
        for path in paths:
            keys = pq.read_table(path, columns=["entity_id", "attr", "time"], partitioning=None)
            order = list(zip(*(column.to_pylist() for column in keys.columns), strict=True))
            assert order == sorted(order)
        held = len(list(folder.rglob("part-*.parquet")))
        history._lake.vacuum(hours=0)
        assert len(list(folder.rglob("part-*.parquet"))) == len(paths) < held
        assert (await history.rows(Selection())).equals(before)

    with_history(tmp_path, test, ListLog())


def test_retention_takes_old_days_away(tmp_path: Path, points: list[Point]) -> None:
    async def test(history: History) -> None:
        now = int(datetime.now(UTC).timestamp()) * 1_000_000
        await history.sink.append("june", batches(points), iri)
        await history.sink.append("now", batches([("urn:x:1", now, 1.0)]), iri)
        history.upkeep._settings = UpkeepSettings(retention_days=30)
        history.upkeep.retain()
        assert (await history.rows(Selection())).column("entity_id").to_pylist() == ["urn:x:1"]

    with_history(tmp_path, test, ListLog())
