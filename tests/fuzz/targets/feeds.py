"""Every connector over any bytes: entities, or a ValueError; never another exception."""

from __future__ import annotations

import io
import warnings
import zipfile
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache, partial
from typing import Any

import orjson
from tests.fuzz import corpus
from tests.fuzz.target import Target, document_bytes

from rynek.base.clock import parse_iso
from rynek.base.errors import BadRequestData
from rynek.base.ids import is_uri
from rynek.context import core_context, parse_entity
from rynek.feeds.connectors.tabular import shipped
from rynek.feeds.contract import FeedConfig, Findings, Situation
from rynek.feeds.kit import content
from rynek.feeds.registry import complete, kind_of

NOW = parse_iso("2026-02-07T12:00:00Z")
BOUNDS = (-180.0, -90.0, 180.0, 90.0)
MOST = 1 << 20


@lru_cache(maxsize=64)
def configured(kind: str, options: str = "{}") -> FeedConfig:
    """A feed of that kind over the whole world."""
    config = FeedConfig(
        name="fuzzed", kind=kind, source="https://example.org/x", zone="Europe/Prague",
        bounds=BOUNDS, max_bytes=MOST, provider="Provider", options=orjson.loads(options),
    )  # fmt: skip
    return complete(config)


def drive(data: bytes, config: FeedConfig, part: str = "") -> int:
    """Decode and map as a feed does, twice with one memory; the number of entities."""
    connector = kind_of(config.kind).connector
    memory: dict[str, Any] = {}
    made = 0
    for _ in range(2):
        situation = Situation(config, NOW, Findings(), memory, None, part, "x")
        assert 0 <= connector.sniff(data[:65536], "x") <= 1
        try:
            list(connector.follow(data, situation))
            records = iter(connector.decode(data, situation))
        except ValueError as error:
            _clear(error)
            return made
        for record in _until_refused(records):
            for made_one in connector.map(record, situation):
                check(made_one)
                made += 1
        orjson.dumps(
            [
                found.example.encode("utf-8", "replace").decode()
                for found in situation.findings.all()
            ]
        )
    return made


def _until_refused(records: Iterator[Any]) -> Iterator[Any]:
    """Only decoding may raise ValueError: what map cannot use it counts."""
    while True:
        try:
            record = next(records)
        except StopIteration:
            return
        except ValueError as error:
            _clear(error)
            return
        yield record


def _clear(error: ValueError) -> None:
    assert str(error), repr(error)


def check(document: dict[str, Any]) -> None:
    """An entity that a feed made can be written, or is refused on its own."""
    assert is_uri(document["id"]), document["id"]
    try:
        orjson.dumps(document)
    except TypeError as error:
        # The feed's loop counts it (see convert.py); no other reason is expected.
        assert "Recursion limit" in str(error) or "64-bit" in str(error), error
        return
    try:
        parse_entity(document, core_context(), now=0, lenient=True)
    except BadRequestData as problem:
        assert problem.detail


def _json_target(
    kind: str, words: str, seeds: Callable[[], Iterable[bytes]], *options: dict[str, Any]
) -> Target:
    names, choices = words.split(), [orjson.dumps(one).decode() for one in options]

    def run(data: bytes) -> None:
        if not data:
            return
        config = configured(kind, choices[data[0] % len(choices)])
        drive(document_bytes(data[1:], names), config, "page:2" if data[0] > 200 else "")

    def begin() -> Iterator[bytes]:
        for seed in seeds():
            for number in range(len(options)):
                yield bytes([number]) + seed

    return Target(kind, run, begin, names)


GBFS_WORDS = (
    "data stations station_id lat lon name capacity last_updated ttl version bikes bike_id vehicles vehicle_id "
    "vehicle_types vehicle_type_id form_factor propulsion_type num_bikes_available num_docks_available "
    "num_vehicles_available is_installed is_renting is_returning last_reported system_id timezone feeds url en "
    "is_reserved is_disabled current_range_meters text language short_name num_bikes_available_types count "
    "vehicle_types_available vehicle_docks_available rental_uris battery_level current_fuel_percent max_range_meters"
)
NGSILD_WORDS = (
    "id type @context value object languageMap vocab json valueList objectList Property Relationship GeoProperty "
    "LanguageProperty observedAt unitCode datasetId location coordinates Point Polygon geometry properties Feature "
    "FeatureCollection features scope metadata timestamp geo:json refDevice temperature createdAt @id @type name "
    "https://uri.etsi.org/ngsi-ld/default-context/a https://smartdatamodels.org/dataModel.Device/value dataset lang "
    "observationSpace expiresAt objectType valueType instanceId urn:ngsi-ld:Device:1 entity previousValue"
)
POSITION_WORDS = "positions timestamp vehicle_id lon lat route_id bearing speed count routes id type number name 1 tram"
TABLE_WORDS = (
    "features geometry properties coordinates Point type FeatureCollection crs name id records data results a b c "
    "EPSG:5514 time value lon lat"
)


def _tabular() -> Target:
    mappings = sorted(shipped())
    options = ["{}", *(orjson.dumps({"mapping": name}).decode() for name in mappings)]

    def run(data: bytes) -> None:
        if not data:
            return
        config = configured("tabular", options[data[0] % len(options)])
        body = document_bytes(data[1:], TABLE_WORDS.split())
        drive(body, config)
        connector: Any = kind_of("tabular").connector
        situation = Situation(config, NOW, Findings(), {}, None, "", "x")
        connector.propose(body, situation)
        try:
            for batch in connector.batches(body, situation):
                batch.validate(full=True)
        except ValueError as error:
            _clear(error)

    def seeds() -> Iterator[bytes]:
        patterns = ("air_quality/*", "bikeshare/*/*", "counters/*", "parking/*/*", "waste/*", "waste/*/*",
                    "weather/*", "transit_positions/*.csv.gz", "geo/*.geojson.gz", "charging/*")  # fmt: skip
        for number, seed in enumerate(corpus.files(*patterns, most=4)):
            yield b"\x00" + seed[:6000]
            for offset in range(3):
                yield bytes([(number * 3 + offset) % len(options)]) + seed[:3000]

    return Target(
        "tabular", run, seeds, [*TABLE_WORDS.split(), ";", ",", "\t", '"', "\r\n", "POINT(1 2)"]
    )


def _gtfs_rt() -> Target:
    every = ["{}", '{"line_from": "label", "arrivals": 3}', '{"route_type": 3, "arrivals": 0}']

    def run(data: bytes) -> None:
        if data:
            drive(data[1:], configured("gtfs_rt", every[data[0] % len(every)]))

    def seeds() -> Iterator[bytes]:
        for number, seed in enumerate(corpus.messages()):
            yield bytes([number % len(every)]) + seed

    return Target("gtfs_rt", run, seeds)


CUT = b"\x00\x00"
"""Between the files that a target puts into an archive."""


warnings.filterwarnings("ignore", "Duplicate name", module="zipfile")


def zipped(data: bytes, names: tuple[str, ...] = ()) -> bytes:
    """A zip of the pieces `name\\ncontent`; of what has no name the next of `names`."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for number, piece in enumerate(data.split(CUT)[:24]):
            name, _, rest = piece.partition(b"\n")
            if number < len(names):
                archive.writestr(names[number], piece)
            elif plain := name[:60].decode("latin-1").replace("\0", ""):
                archive.writestr(plain, rest)
    return made.getvalue()


def _gtfs() -> Target:
    def run(data: bytes) -> None:
        drive(zipped(data), configured("gtfs"))

    def seeds() -> Iterator[bytes]:
        for tables in corpus.schedules():
            yield CUT.join(name.encode() + b"\n" + table for name, table in tables.items())

    words = ["stop_times.txt", "trips.txt", "routes.txt", "stops.txt", "calendar.txt", "shapes.txt", ",", "\n", '"',
             "25:61:00", "\x00\x00", "20260230", "99999999", "stop_id", "trip_id", "1e400", "nan"]  # fmt: skip
    return Target("gtfs", run, seeds, words)


SHEETS = ("[Content_Types].xml", "xl/workbook.xml", "xl/_rels/workbook.xml.rels", "xl/worksheets/sheet1.xml",
          "xl/sharedStrings.xml", "xl/styles.xml")  # fmt: skip


def _xlsx() -> Target:
    def run(data: bytes) -> None:
        drive(zipped(data, SHEETS), configured("tabular"))

    words = ["<row r='", "<c r='", " t='s'>", " t='d'>", " t='b'>", " t='inlineStr'>", "<v>", "</v>", "</c>", "</row>",
             "<si>", "<t>", "1048577", "XFE1", "<!ENTITY a 'b'>", "&a;", "<dimension ref='A1:B2'/>", " s='1'"]  # fmt: skip
    return Target("xlsx", run, _workbook, words)


def _workbook() -> Iterator[bytes]:
    import datetime as dt

    import openpyxl

    book = openpyxl.Workbook()
    sheet: Any = book.active
    for row in (
        ["name", "lon", "time"],
        ["a", 14.4, dt.datetime(2026, 1, 1, 10)],
        ["b", True, "x"],
    ):
        sheet.append(row)
    made = io.BytesIO()
    book.save(made)
    with zipfile.ZipFile(made) as archive:
        names = archive.namelist()
        yield CUT.join(archive.read(name) if name in names else b"" for name in SHEETS)


def _content(data: bytes) -> None:
    reads: list[Callable[[bytes, int], Any]] = [
        content.gunzip, content.inflate, content.zip_members, lambda d, n: list(content.tar_members(d, n)),
    ]  # fmt: skip
    for read in reads:
        try:
            found = read(data, MOST)
        except ValueError as error:
            _clear(error)
            continue
        if isinstance(found, bytes):
            assert len(found) <= MOST
        elif isinstance(found, dict):
            assert sum(map(len, found.values())) <= MOST
        else:
            assert sum(len(body) for _, body in found) <= MOST
    text, encoding = content.text(data)
    assert isinstance(text, str) and encoding


def _archives() -> Iterator[bytes]:
    import gzip
    import tarfile

    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        made = io.BytesIO()
        with zipfile.ZipFile(made, "w", method) as archive:
            archive.writestr("a.txt", "text " * 9)
            archive.writestr("b/c.csv", "1;2")
        yield made.getvalue()
    for form in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT, tarfile.USTAR_FORMAT):
        made = io.BytesIO()
        with tarfile.open(fileobj=made, mode="w", format=form) as archive:
            info = tarfile.TarInfo("a" * (120 if form != tarfile.USTAR_FORMAT else 20))
            info.size = 5
            archive.addfile(info, io.BytesIO(b"hello"))
        yield made.getvalue()
        yield gzip.compress(made.getvalue())
    yield gzip.compress(b"a") + gzip.compress(b"b")
    yield "Příliš žluťoučký".encode("cp1250")
    yield "вулиця".encode("cp1251")


TARGETS = (
    _json_target("gbfs", GBFS_WORDS, partial(corpus.files, "gbfs/*/*", "bikeshare/*/*.json"), {}, {"language": "en"}),
    _json_target("ngsild", NGSILD_WORDS, partial(corpus.files, "smart_data_models/*/*/*.json*", "smart_data_models/*/*.json*", "ngsi_ld/*", most=40), {"types": ["T"]}),
    _json_target("positions", POSITION_WORDS, partial(corpus.files, "transit_positions/*.jsonl.gz"), {}, {"bearing": "bearing", "speed": "speed"}),
    _tabular(),
    _gtfs_rt(),
    _gtfs(),
    _xlsx(),
    Target("content", _content, _archives),
)  # fmt: skip
