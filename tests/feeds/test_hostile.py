"""What sources send that is no good: each is a clear error of that document or a counted finding, and
the good records beside it are written."""

from __future__ import annotations

import asyncio
import gzip
import io
import struct
import tarfile
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import orjson
import pytest
from google.transit import gtfs_realtime_pb2 as pb
from tests.feeds.support import MemorySink, convert, counts, situation
from tests.recorded import DATA

from rynek.base.clock import SystemClock
from rynek.feeds import FeedConfig, Situation, kind_of
from rynek.feeds.convert import Conversion, Known, Threads
from rynek.feeds.kit.content import tar_members, zip_members
from rynek.feeds.loop import FeedLoop
from rynek.feeds.transport import Payload, Source, WebhookSource

NOW = "2026-11-22T10:00:00Z"
PRAGUE = (14.2, 49.9, 14.8, 50.2)
MEGABYTE = 1 << 20
MESSAGE = (DATA / "gtfs_rt/poznan/2026-01-28T150339Z_feeds.pb").read_bytes()
MAPPING = {
    "type": "Thing", "id": "{id}", "location": {"lon": "lon", "lat": "lat", "required": False},
    "attribute": [{"name": "count", "column": "n", "kind": "number"},
                  {"name": "name", "column": "name"}, {"name": "when", "column": "t", "kind": "time"}],
}  # fmt: skip


def table(**config: Any) -> Situation:
    options = {"options": {"map": MAPPING}, "bounds": PRAGUE, "zone": "Europe/Prague"}
    return situation("tabular", NOW, **(options | config))


def positions(**members: object) -> bytes:
    row = {"vehicle_id": "1", "timestamp": NOW, "lon": 14.4, "lat": 50.1} | members
    good = {"vehicle_id": "good", "timestamp": NOW, "lon": 14.4, "lat": 50.1}
    return orjson.dumps({"timestamp": NOW, "positions": [row, good]})


# Protobuf


@pytest.mark.parametrize(
    "data",
    [
        MESSAGE[: len(MESSAGE) // 2], MESSAGE[:-1], b"", b"\x00" * 100, b"\xff" * 1000, b"<html/>",
        b"\x0a\xff\xff\xff\xff\x0f", gzip.compress(MESSAGE)[:-4], MESSAGE[1:],
        b"\x0b" * 100_000,  # groups in groups in groups
    ],
    ids=["half", "all but one byte", "empty", "zeros", "ones", "html", "endless length", "cut gzip",
         "shifted", "deep groups"],
)  # fmt: skip
def test_broken_protobuf_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"GTFS-Realtime|gzip"):
        convert(data, situation("gtfs_rt", NOW))


def moved(vehicle: Any, lon: float, lat: float) -> None:
    vehicle.position.longitude, vehicle.position.latitude = lon, lat


def message(change: Callable[[Any], None]) -> bytes:
    made = pb.FeedMessage()
    made.ParseFromString(MESSAGE)
    del made.entity[20:]
    change(next(entity for entity in made.entity if entity.HasField("vehicle")).vehicle)
    found: bytes = made.SerializeToString()
    return found


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda v: setattr(v.position, "latitude", float("nan")), "position-invalid"),
        (lambda v: setattr(v.position, "longitude", float("inf")), "position-invalid"),
        (lambda v: setattr(v.position, "latitude", 95.0), "position-invalid"),
        (lambda v: moved(v, 52.4, 16.9),
         "position-swapped"),
        (lambda v: moved(v, 0, 0),
         "position-zero"),
        (lambda v: setattr(v.position, "speed", float("inf")), "speed-impossible"),
    ],
)  # fmt: skip
def test_odd_numbers_in_protobuf_are_counted(change: Callable[[Any], None], code: str) -> None:
    at = situation("gtfs_rt", "2026-01-28T15:04:00Z", bounds=(16.5, 52.0, 17.5, 53.0))
    made = convert(message(change), at)
    assert counts(at)[code] == 1, counts(at)
    assert len(made) > 1
    orjson.dumps(made)
    assert b"null" not in orjson.dumps([one.get("location") for one in made if "location" in one])


def test_texts_in_protobuf_that_are_no_utf8_are_read_all_the_same() -> None:
    """Nothing in the protocol checks them; the whole message would be lost for one name."""
    made = pb.FeedMessage()
    made.header.gtfs_realtime_version = "2.0"
    for number, label in enumerate(("Łódź ŻŻŻŻ", "plain")):
        one = made.entity.add(id=str(number)).vehicle
        one.vehicle.id, one.vehicle.label = f"v{number}", label
        one.timestamp = 1_790_000_000
        moved(one, 14.4, 50.1)
    label = "Łódź ŻŻŻŻ"
    at = situation("gtfs_rt", NOW)
    wrong = label.encode("cp1250").ljust(len(label.encode()), b"!")
    found = convert(made.SerializeToString().replace(label.encode(), wrong), at)
    assert [one["name"]["value"].rstrip("!") for one in found] == [label, "plain"]
    assert counts(at)["encoding"] == 1


@pytest.mark.parametrize("stamp", [1, 2**40, 2**63, 2**64 - 1])
def test_impossible_times_in_protobuf(stamp: int) -> None:
    at = situation("gtfs_rt", "2026-01-28T15:04:00Z")
    made = convert(message(lambda v: setattr(v, "timestamp", stamp)), at)
    assert made
    for document in made:
        for attribute in document.values():
            if isinstance(attribute, dict) and "observedAt" in attribute:
                assert attribute["observedAt"] < "2026-01-30"
    told = {"time-years-old", "time-in-future"}
    assert told & counts(at).keys()


# Archives


def zipped(members: Iterable[tuple[str, bytes]], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", method) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return made.getvalue()


def lying(data: bytes) -> bytes:
    """A zip whose entries say that they hold ten bytes."""
    at = data.rfind(b"PK\x01\x02")
    return data[: at + 24] + struct.pack("<I", 10) + data[at + 28 :]


def overlapping() -> bytes:
    """A zip whose directory lists one compressed body a thousand times (as Fifield's bombs do)."""
    data = zipped([("stops.txt", b"a" * MEGABYTE)])
    at = data.rfind(b"PK\x01\x02")
    end = data.rfind(b"PK\x05\x06")
    entry, tail = data[at:end], data[end:]
    tail = tail[:8] + struct.pack("<HHII", 1000, 1000, len(entry) * 1000, at) + tail[20:]
    return data[:at] + entry * 1000 + tail


def bombs() -> Iterator[tuple[str, bytes]]:
    zeros = b"\0" * (8 * MEGABYTE)
    inner = zipped([("stops.txt", zeros)])
    yield "one huge member", inner
    yield "nested", zipped([("inner.zip", inner)] * 1)
    yield "many members", zipped((f"{n}/stops.txt", b"") for n in range(10_001))
    yield "lies about its size", lying(inner)
    yield "overlapping", overlapping()
    yield "bzip2", zipped([("stops.txt", zeros)], zipfile.ZIP_BZIP2)
    yield "lzma", zipped([("stops.txt", zeros)], zipfile.ZIP_LZMA)
    yield "cut", inner[:-30]
    damaged = bytearray(zipped([("stops.txt", b"x" * 1000)], zipfile.ZIP_LZMA))
    damaged[60:70] = b"\xff" * 10
    yield "damaged lzma", bytes(damaged)


@pytest.mark.parametrize(
    ("name", "data"), list(bombs()), ids=lambda value: value if isinstance(value, str) else ""
)
def test_zip_bombs_are_refused_within_bounded_memory(name: str, data: bytes) -> None:
    at = situation("gtfs", NOW, options={"max_unpacked": MEGABYTE})
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=r"zip|bytes after decompression|GTFS"):
            convert(data, at)
        assert tracemalloc.get_traced_memory()[1] < 60 * MEGABYTE
    finally:
        tracemalloc.stop()


def test_a_zip_may_not_list_files_without_end() -> None:
    entry = zipped([("a", b"")])
    directory = entry[entry.find(b"PK\x01\x02") : entry.find(b"PK\x05\x06")]
    with pytest.raises(ValueError, match="more than 100000 files"):
        zip_members(entry + directory * 100_001, MEGABYTE)


def test_a_sparse_file_in_a_tar_is_not_unpacked() -> None:
    # GNU sparse 1.0 by a pax header: some bytes that say they are ten terabytes.
    body = b"1\n0\n0\n".ljust(512, b"\0")
    info = tarfile.TarInfo("GNUSparseFile.0/big.csv")
    info.size = len(body)
    info.pax_headers = {
        "GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "big.csv",
        "GNU.sparse.realsize": str(10 * 1024**4),
    }  # fmt: skip
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=tarfile.PAX_FORMAT) as archive:
        archive.addfile(info, io.BytesIO(body))
    with pytest.raises(ValueError, match="in the files of the tar"):
        list(tar_members(made.getvalue(), MEGABYTE))


def test_gzip_bombs_are_refused() -> None:
    bomb = gzip.compress(gzip.compress(b"a" * (64 * MEGABYTE)))
    at = situation("gtfs_rt", NOW)
    with pytest.raises(ValueError, match="GTFS-Realtime"):  # unpacked once, never twice
        convert(bomb, at)
    with pytest.raises(ValueError, match="after decompression"):
        convert(gzip.compress(b"a" * (64 * MEGABYTE)), at)


# Workbooks and XML


CONTENT_TYPES = (
    '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Override PartName="/xl/workbook.xml" ContentType='
    '"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/>'
    '<Override PartName="/xl/sharedStrings.xml" ContentType='
    '"application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"/></Types>'
)
NS = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
RELS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"


def workbook(sheet: str | Iterator[str], strings: str = "", doctype: str = "") -> bytes:
    book = (f'<workbook xmlns="{NS}" xmlns:r="{RELS}"><sheets><sheet name="S" sheetId="1" r:id="r1"/>'
            "</sheets></workbook>")  # fmt: skip
    relations = (f'<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
                 f'<Relationship Id="r1" Type="{RELS}/worksheet" Target="worksheets/s.xml"/></Relationships>')  # fmt: skip
    rows = sheet if isinstance(sheet, str) else "".join(sheet)
    return zipped([
        ("[Content_Types].xml", CONTENT_TYPES.encode()),
        ("xl/workbook.xml", book.encode()),
        ("xl/_rels/workbook.xml.rels", relations.encode()),
        ("xl/sharedStrings.xml", f'<?xml version="1.0"?>{doctype}<sst xmlns="{NS}">{strings}</sst>'.encode()),
        ("xl/styles.xml", f'<styleSheet xmlns="{NS}"/>'.encode()),
        ("xl/worksheets/s.xml",
         f'<?xml version="1.0"?>{doctype}<worksheet xmlns="{NS}"><sheetData>{rows}</sheetData></worksheet>'.encode()),
    ])  # fmt: skip


HEADER = '<row r="1"><c r="A1" t="str"><v>id</v></c><c r="B1" t="str"><v>n</v></c></row>'
LAUGHS = ('<!DOCTYPE x [<!ENTITY a "ha">'
          + "".join(f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in zip("abcdefghi", "bcdefghij", strict=True))
          + "]>")  # fmt: skip


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (workbook(HEADER + '<row r="2"><c r="A2" t="str"><v>&j;</v></c></row>', doctype=LAUGHS), "XLSX"),
        (workbook(HEADER, "<si/>" * 4_000_001), "too many texts or cells"),
        (workbook('<row r="1">' + "".join(f'<c r="A1" t="str"><v>c{n}</v></c>' for n in range(3000)) + "</row>"), ""),
        (workbook('<row r="1"/>' * 10), "no header"),
        (workbook(HEADER + '<row r="x"/>'), "XLSX"),
        (workbook(HEADER + '<row r="2"><c r="A2" t="s"><v>5</v></c></row>'), "XLSX"),
        (workbook(HEADER + '<row r="2"><c r="A2"><v>1e</v></c></row>'), "XLSX"),
        (workbook(HEADER + '<row r="2"><c r="A2" t="d"><v>never</v></c></row>'), "XLSX"),
        (workbook(HEADER + "<row><c>"), "XLSX"),
        (workbook(HEADER)[:400], "XLSX|archive"),
        (zipped([("xl/x", b"")]), "XLSX"),
    ],
    ids=["billion laughs", "shared texts", "one cell again and again", "no cells", "row number", "text number",
         "number", "date", "open tags", "cut", "another zip"],
)  # fmt: skip
def test_crafted_workbooks_are_refused(data: bytes, error: str) -> None:
    at = table()
    if not error:
        assert convert(data, at) == []
        return
    with pytest.raises(ValueError, match=error):
        convert(data, at)


def test_a_workbook_a_million_columns_wide_is_cut() -> None:
    cells = '<c r="A2" t="str"><v>a</v></c><c r="ZZZ2"><v>1</v></c>'
    sheet = f'<dimension ref="A1:XFD1048576"/><row r="1"><c r="A1" t="str"><v>id</v></c></row><row r="2">{cells}</row>'
    data = workbook(sheet)
    at = table()
    assert [one["id"] for one in convert(data, at)] == ["urn:ngsi-ld:Thing:test:a"]
    far = workbook(HEADER + '<row r="2"><c r="A2" t="str"><v>a</v></c></row><row r="1048576"/>')
    at = table()
    assert len(convert(far, at)) == 1
    assert counts(at)["empty-row"] > 1_000_000


def test_a_workbook_of_too_many_cells_is_refused() -> None:
    names = "".join(f'<c t="str"><v>c{n}</v></c>' for n in range(1990))
    sheet = f'<row r="1">{names}<c t="str"><v>id</v></c></row><row r="1048570"/>'
    at = table()
    with pytest.raises(ValueError, match="more than 20000000 cells"):
        convert(workbook(sheet), at)


def test_xml_is_no_table_and_no_entity_is_ever_expanded() -> None:
    for kind in ("tabular", "gbfs", "positions", "ngsild", "gtfs_rt"):
        with pytest.raises(ValueError, match=r"not |no "):
            convert((LAUGHS + "<x>&j;</x>").encode(), situation(kind, NOW))


# Text


def test_csv_in_cp1250_is_read_right_declared_or_found_out() -> None:
    csv = "id;name;n\n1;Příliš žluťoučký kůň;1,5\n2;Łódź;2\n".encode("cp1250")
    for declared in ({}, {"encoding": "cp1250"}):
        at = table(options={"map": MAPPING | {"table": declared}})
        names = [one["name"]["value"] for one in convert(csv, at)]
        assert names == ["Příliš žluťoučký kůň", "Łódź"]
    at = table(options={"map": MAPPING | {"table": {"encoding": "utf-8"}}})
    with pytest.raises(ValueError, match="not readable as utf-8"):
        convert(csv, at)
    at = table(options={"map": MAPPING | {"table": {"encoding": "klingon"}}})
    with pytest.raises(ValueError, match="not readable as klingon"):
        convert(csv, at)


@pytest.mark.parametrize(
    "cell",
    ["NaN", "nan", "Infinity", "-inf", "1e400", "1_000", "0x10", "9" * 400, "٣", "1e-999"],
)
def test_numbers_that_are_none_are_counted(cell: str) -> None:
    at = table()
    made = convert(f"id,n\n1,{cell}\n2,5\n".encode(), at)
    assert made[1]["count"]["value"] == 5
    if "count" in made[0]:
        assert made[0]["count"]["value"] in (0, 3)  # an underflow, and a digit of another script
    else:
        assert counts(at)["bad-value"] == 1


def test_numbers_that_are_none_in_json() -> None:
    for raw in (b"NaN", b"Infinity", b"1e400", b"9" * 400, b"-" + b"9" * 5000):
        at = table()
        try:
            made = convert(b'[{"id":"1","n":' + raw + b'},{"id":"2","n":5}]', at)
        except ValueError as error:
            assert "JSON" in str(error)  # noqa: PT017 - the whole document, or only that cell
        else:
            assert "count" not in made[0] and made[1]["count"]["value"] == 5
            assert counts(at)["bad-value"] == 1


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("2026-11-22T10:00:00", ""), ("0", "bad-time"), ("1970-01-01T00:00:00Z", "bad-time"),
        ("9999-12-31T23:59:59Z", "bad-time"), ("0001-01-01T00:00:00", "bad-time"),
        ("0000-00-00T00:00:00Z", "bad-time"), ("99999999999999999999", "bad-time"), ("NaN", "bad-time"),
        (1e308, "bad-time"), (-1, "bad-time"), ("2026-02-30T00:00:00Z", "bad-time"), ("", "bad-time"),
    ],
)  # fmt: skip
def test_times_without_zone_and_of_other_ages(text: object, code: str) -> None:
    at = situation("positions", NOW, bounds=PRAGUE, zone="Europe/Prague")
    made = convert(positions(timestamp=text), at)
    assert "good" in made[-1]["id"] or "good" in made[0]["id"]
    if code:
        assert len(made) == 1 and counts(at)[code] == 1
    else:
        seen = {one["location"]["observedAt"] for one in made}
        assert seen == {NOW, "2026-11-22T09:00:00Z"}  # the zone of the feed


@pytest.mark.parametrize(
    ("lon", "lat", "code"),
    [
        (50.1, 14.4, "position-swapped"), (14.4, 150, "position-invalid"), (0, 0, "position-zero"),
        (21, 52, "position-outside"), ("NaN", 50, "position-missing"), (1e308, 1e308, "position-invalid"),
        (None, [], "position-missing"), (True, False, "position-missing"),
    ],
)  # fmt: skip
def test_impossible_and_exchanged_positions_are_flagged(lon: Any, lat: Any, code: str) -> None:
    at = situation("positions", NOW, bounds=PRAGUE)
    made = convert(positions(lon=lon, lat=lat), at)
    assert counts(at)[code] == 1
    assert sum("location" in one for one in made) == 1


def test_ids_that_are_no_uris_become_some() -> None:
    ids = [
        "a b",
        "<script>",
        "ąć",
        "../../etc",
        "\x00",
        "%",
        "x" * 3000,
        "urn:ok:1",
        "a\nb",
        "\u202e",
    ]
    at = situation("ngsild", NOW)
    made = convert(orjson.dumps([{"id": one, "type": "T", "a": 1} for one in ids]), at)
    assert counts(at)["id-no-uri"] >= 8
    sink = [one["id"] for one in made]
    assert "urn:ok:1" in sink and all(" " not in one and "<" not in one for one in sink)


def test_deep_and_doubled_json() -> None:
    for kind in ("tabular", "gbfs", "positions", "ngsild"):
        deep = b'{"a":' * 10_000 + b"1" + b"}" * 10_000
        with pytest.raises(ValueError, match=r"nest|depth|recursion"):
            convert(deep, situation(kind, NOW))
        for bad in (b'{"a": "\xff"}', b'{"a": "\\ud800"}', b'{"a": 1', b"[1] [2]", b"\x00"):
            with pytest.raises(ValueError, match=r"\w"):
                convert(bad, situation(kind, NOW))
    at = table()
    assert [one["count"]["value"] for one in convert(b'[{"id":"1","n":1,"n":2}]', at)] == [2]


# One record must not stop the others


def test_a_record_that_no_json_can_hold_is_left_out() -> None:
    data = orjson.dumps(
        [{"id": "urn:x:1", "type": "T", "a": 1}, {"id": "urn:x:3", "type": "T", "a": 3}]
    )
    data = data.replace(b'"a":1', b'"a":' + b"9" * 30)
    at = situation("ngsild", NOW)
    conversion = Conversion(kind_of("ngsild").connector, Payload(data), at, Known())
    batch = conversion.next_batch(100)
    assert batch is not None
    assert [one["id"] for one in batch.documents][-1] == "urn:x:3"
    assert len(batch.documents) + counts(at).get("bad-record", 0) == 2


class Brittle:
    """A connector with a mistake: it stumbles over one record."""

    kind = "brittle"

    def sniff(self, head: bytes, name: str) -> float:
        return 1.0

    def follow(self, data: bytes, at: Situation) -> list[tuple[str, str]]:
        return []

    def decode(self, data: bytes, at: Situation) -> Iterator[int]:
        yield from range(3)

    def map(self, record: int, at: Situation) -> Iterator[dict[str, Any]]:
        if record == 1:
            raise KeyError("nobody thought of that")
        yield {"id": f"urn:x:{record}", "type": "T"}


def test_a_record_that_nobody_thought_of_is_counted() -> None:
    at = situation("gbfs", NOW)
    batch = Conversion(Brittle(), Payload(b""), at, Known()).next_batch(10)
    assert batch is not None and [one["id"] for one in batch.documents] == ["urn:x:0", "urn:x:2"]
    assert counts(at) == {"bad-record": 1}


def test_a_document_that_is_read_without_end_holds_up_one_feed_and_one_thread() -> None:
    async def test() -> None:
        gate = asyncio.Event()
        loop = asyncio.get_running_loop()
        threads = Threads()

        def forever() -> None:
            asyncio.run_coroutine_threadsafe(gate.wait(), loop).result()

        with pytest.raises(TimeoutError, match="not read within"):
            await threads.run(forever, timeout=0.05)
        with pytest.raises(TimeoutError, match="earlier document is still being read"):
            await threads.run(forever, timeout=0.05)
        gate.set()
        while threads.busy:  # noqa: ASYNC110 - a thread ends
            await asyncio.sleep(0.01)
        assert await threads.run(lambda: 5, timeout=5) == 5

    asyncio.run(asyncio.wait_for(test(), 20))


# The same through the feed that others post to: nothing is half-written


def posted(kind: str, body: bytes, **options: Any) -> tuple[MemorySink, str]:
    config = FeedConfig(name="x", kind=kind, source="webhook:", options=options, max_bytes=MEGABYTE)
    sink = MemorySink()

    async def test() -> str:
        source = WebhookSource(config)
        checked: Source = source
        feed = FeedLoop(config, kind_of(kind).connector, checked, sink, SystemClock(), None)
        running = asyncio.create_task(feed.run())
        try:
            await source.deliver(body)
            return ""
        except Exception as error:
            return f"{type(error).__name__}: {error}"
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    return sink, asyncio.run(asyncio.wait_for(test(), 30))


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "ValueError"), (b"\xff\xfe\x00", "ValueError"), (gzip.compress(b"{" * 2 * MEGABYTE), "decompression"),
        (b'{"positions": [' + b'{"vehicle_id":"1"},' * 5, "ValueError"), (b"[" * 10_000, "ValueError"),
        (zlib.compress(b"{}"), "ValueError"), (b"x" * (MEGABYTE + 1), "PayloadTooLarge"),
    ],
)  # fmt: skip
def test_what_is_posted_and_no_good_is_refused_whole(body: bytes, says: str) -> None:
    sink, answer = posted("positions", body)
    assert says in answer
    assert sink.entities == {}


def test_a_reading_of_the_future_cannot_be_the_newest_for_ever() -> None:
    """Whatever the connector lets through: a later reading could never replace it."""
    one = {"type": "Property", "value": 1, "observedAt": "9999-12-31T23:59:59Z"}
    two = {"type": "Property", "value": 2, "observedAt": NOW}
    at = situation("ngsild", NOW)
    data = orjson.dumps([{"id": "urn:x:1", "type": "T", "a": one, "b": two, "c": [two, one]}])
    conversion = Conversion(kind_of("ngsild").connector, Payload(data), at, Known())
    batch = conversion.next_batch(10)
    assert batch is not None
    assert {"a", "b", "c"} & batch.documents[0].keys() == {"b"}
    assert counts(at)["time-in-future"] == 2
    assert conversion.newest == at.now
