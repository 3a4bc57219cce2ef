"""What the demo ships: complete, named by source, small, in six languages, readable."""

import gzip
import tomllib
from pathlib import Path

import pytest

import rynek
from rynek.base.folder import DataFolder, FolderError
from rynek.demo import CITIES, DEFAULT_CITY, install
from rynek.feeds import list_feeds, load_feed, open_recording
from rynek.indicators import (
    Profiles,
    References,
    Sources,
    inhabitants,
    open_indicators,
    parse_period,
)
from rynek.web import parse_city, read_city

PACKAGE = Path(rynek.__file__).parent
DEMO = PACKAGE / "demo"
LANGUAGES = {"en", "pl", "cs", "bg", "uk", "sr"}
ALL = ("krakow", "kyiv", "oslo", "pardubice", "plzen", "poznan", "praha", "sofia")


def test_the_cities() -> None:
    assert CITIES == ALL
    assert DEFAULT_CITY == "kyiv"


def test_the_package_stays_under_20_mb() -> None:
    sources = {".po", ".pot"}  # of the catalogues: the wheel leaves them out
    files = [
        path
        for path in PACKAGE.rglob("*")
        if path.is_file() and "__pycache__" not in str(path) and path.suffix not in sources
    ]
    assert sum(path.stat().st_size for path in files) < 20_000_000


def test_every_recorded_file_names_its_source() -> None:
    sources = tomllib.loads((DEMO / "SOURCES.toml").read_text("utf-8"))["file"]
    named = [name for source in sources for name in source["files"]]
    shipped = [
        str(path.relative_to(DEMO / "data"))
        for path in (DEMO / "data").rglob("*")
        if path.is_file()
    ]
    assert sorted(named) == sorted(shipped)
    for source in sources:
        assert all(source[key] for key in ("what", "publisher", "licence", "url", "commit"))
        assert source["licence"] in ("MIT", "EUPL-1.2") or source["licence"].startswith(
            "published open data of "
        )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("demo") / "data"
    install(made)
    return made


@pytest.mark.parametrize("name", ALL)
def test_city_speaks_six_languages(folder: Path, name: str) -> None:
    city = parse_city((folder / "tenants" / name / "city.toml").read_text("utf-8"))
    assert city.recording is not None
    assert city.centre is not None
    assert city.bounds is not None
    west, south, east, north = city.bounds
    assert west < city.centre[0] < east and south < city.centre[1] < north
    texts = [city.name, city.recording.title, *(each.what for each in city.licence)]
    texts += [text for text in (city.note, city.recording.note) if text]
    for text in texts:
        assert isinstance(text, dict)
        assert set(text) == LANGUAGES
        assert all(text.values())
    assert all(each.publisher for each in city.licence)


@pytest.mark.parametrize("name", ALL)
def test_feeds_and_recordings_can_be_read(folder: Path, name: str) -> None:
    feeds = folder / "tenants" / name / "feeds"
    replayed = []
    for path in list_feeds(feeds).values():
        config = load_feed(path)
        assert config.provider
        if config.source.startswith("replay:"):
            source = feeds / config.source.removeprefix("replay:")
            replayed.append(open_recording(source, config.zone))
        else:
            assert (feeds / config.source).exists()
    assert all(recording.manifest.loop for recording in replayed)
    if replayed:
        # One clock plays them all: it begins with something to show, and has a way to go.
        begin = min(recording.start for recording in replayed)
        assert min(recording.items[0].at for recording in replayed) <= begin
        assert begin < max(recording.end for recording in replayed)


def test_a_tenant_s_recordings_begin_at_one_time(folder: Path) -> None:
    """One clock plays them all, and it takes speed and gaps from the first."""
    for name in ALL:
        manifests = (folder / "tenants" / name / "feeds" / "recording").glob("*.toml")
        played = {
            tuple(tomllib.loads(path.read_text()).get(key) for key in ("start", "speed", "max_gap"))
            for path in manifests
        }
        assert len(played) <= 1


def test_the_past_has_the_rows_it_says() -> None:
    past = tomllib.loads((DEMO / "cities" / "pardubice" / "past.toml").read_text("utf-8"))
    rows = 0
    for path in sorted((DEMO / "data" / "pardubice").glob("20??-??.csv.gz")):
        rows += gzip.decompress(path.read_bytes()).count(b"\n") - 1
    assert rows == past["rows"]
    assert set(past["title"]) == LANGUAGES


def test_a_folder_with_other_data_is_refused(tmp_path: Path) -> None:
    (tmp_path / "something").write_text("mine")
    with pytest.raises(FolderError, match="other data"):
        install(tmp_path, fresh=True)
    assert (tmp_path / "something").read_text() == "mine"


def test_a_folder_in_use_is_refused_also_when_fresh(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    install(folder)
    lock = DataFolder(folder)
    lock.open()
    with pytest.raises(FolderError, match="in use"):
        install(folder, fresh=True)
    lock.close()
    assert (folder / "tenants" / "kyiv" / "city.toml").exists()


def test_what_was_changed_by_hand_stays_until_the_demo_changes(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    install(folder)
    feed = folder / "tenants" / "kyiv" / "feeds" / "vehicles.toml"
    feed.write_text(feed.read_text() + "# mine\n")
    install(folder)
    assert feed.read_text().endswith("# mine\n")
    (folder / "demo").write_text("another version")
    install(folder)
    assert not feed.read_text().endswith("# mine\n")


def test_fresh_forgets_everything(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    install(folder)
    (folder / "tenants" / "kyiv" / "replay.json").write_text("{}")
    profiles = Profiles(folder)
    profiles.keep("kyiv", {})
    profiles.close()
    install(folder, fresh=True)
    profiles = Profiles(folder)
    assert profiles.all() == {}
    profiles.close()
    assert not (folder / "tenants" / "kyiv" / "replay.json").exists()


@pytest.mark.parametrize(
    ("city", "period", "people", "table"),
    [
        ("oslo", "2023-06-07", 709_037, "demo-cities"),
        ("pardubice", "2022-12", 89_619, "demo-cities"),
        ("kyiv", "2026-02", 2_952_301, "demo-cities"),
        ("praha", "2019-05", 1_267_449, "eurostat-urb-cpop1"),
        ("krakow", "2024-08", 761_873, "eurostat-urb-cpop1"),
    ],
)
def test_inhabitants_are_known_with_their_source(
    folder: Path, city: str, period: str, people: int, table: str
) -> None:
    home = read_city(folder / "tenants" / city, city)
    references = References(open_indicators(folder))
    found = inhabitants(parse_period(period, home.zone), Sources(references, tuple(home.known_as)))
    assert found is not None
    assert (found.amount, found.table) == (people, table)
    kept, rows = references.find("demo-cities")
    assert "source named" in kept.about["licence"]
    assert all(rows.columns["source"])
