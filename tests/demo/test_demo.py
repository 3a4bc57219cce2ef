"""`rynek demo` as a person starts it: it comes up, moves, speaks, stops, and comes back."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.demo.service import Service, environment, free_port, until

from rynek.demo import OPEN_WAVE, PAST_WAVE, make_surveys

TRY = re.compile(r"a survey to try: (http://127\.0\.0\.1:\d+)(/survey/[\w-]+)\n")
SURVEY = {
    "en": ["Strategy", "Data and services", "Needs", "Priorities"],
    "uk": ["Стратегія", "Дані та послуги", "Потреби", "Пріоритети"],
}

PAGES = {
    "kyiv": ("Kyiv", "Київ"),
    "poznan": ("Poznań", "Познань"),
    "plzen": ("Plzeň", "Пльзень"),
    "krakow": ("Kraków", "Краків"),
    "pardubice": ("Pardubice", "Пардубиці"),
    "praha": ("Prague", "Прага"),
    "sofia": ("Sofia", "Софія"),
    "oslo": ("Oslo", "Осло"),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo") / "data"


@pytest.fixture(scope="module")
def demo(folder: Path) -> Iterator[Service]:
    service = Service("demo", folder)
    yield service
    if service.process.poll() is None:
        service.kill()


def entities(demo: Service, tenant: str | None, **query: str) -> list[dict[str, Any]]:
    headers = {"NGSILD-Tenant": tenant} if tenant else {}
    answer = demo.client.get("/ngsi-ld/v1/entities", params=query, headers=headers)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()
    return found


def count(demo: Service, tenant: str, kind: str) -> int:
    answer = demo.client.get(
        "/ngsi-ld/v1/entities",
        params={"type": kind, "limit": "1", "count": "true"},
        headers={"NGSILD-Tenant": tenant},
    )
    return int(answer.headers["NGSILD-Results-Count"])


def test_it_says_where_it_is(demo: Service) -> None:
    assert demo.printed() == f"ready {demo.url}/\n"


@pytest.mark.parametrize("city", PAGES)
def test_every_city_has_its_page_in_two_languages(demo: Service, city: str) -> None:
    for language, name in zip(("en", "uk"), PAGES[city], strict=True):
        answer = demo.client.get(f"/c/{city}/", params={"lang": language})
        assert answer.status_code == 200
        assert f'lang="{language}"' in answer.text
        assert name in answer.text
        assert answer.text.count('class="recording"') >= 1


def test_the_start_page_shows_all_cities(demo: Service) -> None:
    page = demo.client.get("/", params={"lang": "en"}).text
    assert all(f'href="/c/{city}/"' in page for city in PAGES)


def link_to_try(demo: Service) -> str:
    found = until(lambda: TRY.search(demo.errors()), "a link to the open survey")
    assert found.group(1) == demo.url
    return found.group(2)


def test_the_survey_shows_strategy_needs_and_priorities(demo: Service) -> None:
    link_to_try(demo)
    listed = demo.client.get("/surveys", params={"lang": "en"}).text
    assert listed.count("An example: its answers are made up.") == 2
    for wave in (PAST_WAVE, OPEN_WAVE):
        assert f'href="/surveys/{wave}"' in listed
    for language, heads in SURVEY.items():
        page = demo.client.get(f"/surveys/{PAST_WAVE}", params={"lang": language}).text
        glance = page[page.index("survey-glance") : page.index("survey-table")]
        assert re.findall("<h3>(.*?)</h3>", glance) == heads
        assert len(re.findall(r"<progress[^>]* value=\"0\.\d", glance)) == 18
    english = demo.client.get(f"/surveys/{PAST_WAVE}", params={"lang": "en"}).text
    assert "117 of 151 answered (77%)." in english
    assert "An example: its answers are made up." in english
    assert re.findall(r'"row">Example region (.)</th>', english) == list("ABCDEFGHI")
    assert re.findall(r'"row">Example region (.)</th><td[^>]*>\d+</td><td[^>]*><span', english) == [
        "H",
        "I",
    ]


def test_the_open_survey_can_be_tried_and_a_second_start_makes_nothing_again(
    demo: Service, folder: Path
) -> None:
    address = link_to_try(demo)
    page = demo.client.get(address, params={"lang": "en"}).text
    assert "An example: its answers are made up." in page
    sent = demo.client.post(
        address,
        data={"at": "about", "revision": "0", "action": "next", "size": "s2", "role": "else"},
    )
    assert sent.status_code == 303
    before = {path.name: path.read_bytes() for path in folder.glob("surveys.json")}
    assert make_surveys(folder) == address.rpartition("/")[2]
    assert {path.name: path.read_bytes() for path in folder.glob("surveys.json")} == before
    assert 'value="s2" checked' in demo.client.get(address, params={"at": "about"}).text


@pytest.mark.parametrize(
    ("city", "kind", "expected"),
    [
        ("poznan", "Vehicle", 549),
        ("plzen", "GtfsStop", 710),
        ("plzen", "GtfsRoute", 54),
        ("pardubice", "BikeHireDockingStation", 64),
        ("praha", "OnStreetParking", 16),
        ("praha", "WasteContainer", 4),
        ("sofia", "WasteContainer", 19_520),
        ("oslo", "BikeHireDockingStation", 268),
    ],
)
def test_every_city_has_its_things(demo: Service, city: str, kind: str, expected: int) -> None:
    assert until(lambda: count(demo, city, kind) >= expected, f"{expected} {kind} in {city}")
    assert count(demo, city, kind) == expected


def test_without_a_tenant_kyiv_answers_and_moves(demo: Service) -> None:
    def places() -> dict[str, Any]:
        query = {"type": "Vehicle", "q": 'serviceStatus=="onRoute"', "limit": "1000"}
        found = entities(demo, None, **query)
        return {one["id"]: one["location"]["value"] for one in found}

    before = until(places, "vehicles on route")
    assert all(":kyiv:" in entity_id for entity_id in before)

    def moved() -> bool:
        now = places()
        return any(now[entity_id] != before[entity_id] for entity_id in now.keys() & before.keys())

    assert until(moved, "a vehicle that moves")


@pytest.mark.parametrize("city", ["poznan", "plzen"])
def test_vehicles_run_from_the_timetable(demo: Service, city: str) -> None:
    def scheduled() -> Any:
        answer = demo.client.get(f"/c/{city}/map/scheduled").json()
        return answer["features"]

    features = until(scheduled, "scheduled vehicles")
    assert all(each["properties"]["scheduled"] for each in features)
    listed = {one["id"] for one in entities(demo, city, type="Vehicle", limit="1000")}
    assert listed.isdisjoint(each["properties"]["id"] for each in features)


def test_the_long_past_is_loaded_behind_the_service(demo: Service) -> None:
    station = "urn:ngsi-ld:BikeHireDockingStation:pardubice:29745906"

    def past() -> Any:
        answer = demo.client.get(
            f"/ngsi-ld/v1/temporal/entities/{station}",
            params={
                "attrs": "availableBikeNumber",
                "timerel": "between",
                "timeAt": "2021-06-01T00:00:00Z",
                "endTimeAt": "2021-06-02T00:00:00Z",
            },
            headers={"NGSILD-Tenant": "pardubice"},
        )
        return answer.json().get("availableBikeNumber") if answer.status_code == 200 else None

    day = until(past, "readings of June 2021")
    assert len(day) == 50  # rows of the file from 02:00 to 02:00 local time


def test_anyone_here_may_write(demo: Service) -> None:
    entity = {
        "id": "urn:ngsi-ld:Bench:1",
        "type": "Bench",
        "seats": {"type": "Property", "value": 3},
    }
    assert demo.client.post("/ngsi-ld/v1/entities", json=entity).status_code == 201
    assert demo.client.get("/ngsi-ld/v1/entities/urn:ngsi-ld:Bench:1").status_code == 200


def test_a_second_service_on_the_folder_is_refused(demo: Service, folder: Path) -> None:
    for command in ("demo", "serve"):
        arguments = [command, "--port", str(free_port()), "--data", str(folder)]
        second = subprocess.run(
            [sys.executable, "-m", "rynek", *arguments],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env=environment(),
        )
        assert second.returncode == 1
        assert f"in use by another rynek (process {demo.process.pid})" in second.stderr
        assert "Traceback" not in second.stderr


def test_a_taken_port_is_told(demo: Service, tmp_path: Path) -> None:
    arguments = ["demo", "--port", str(demo.port), "--data", str(tmp_path / "other")]
    second = subprocess.run(
        [sys.executable, "-m", "rynek", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=environment(),
    )
    assert second.returncode == 1
    assert "choose another with --port" in second.stderr


def command(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "rynek", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
        env=environment(),
    )


def test_a_backup_of_the_running_service_answers_the_same(
    demo: Service, folder: Path, tmp_path: Path
) -> None:
    since = "attrs=occupancy&timerel=after&timeAt=2019-01-01T00:00:00Z"
    questions = [
        ("sofia", "/ngsi-ld/v1/entities?type=WasteContainer&limit=1000&offset=2000"),
        ("plzen", "/ngsi-ld/v1/entities?type=GtfsStop&limit=1000&options=sysAttrs"),
        ("praha", f"/ngsi-ld/v1/temporal/entities?type=OnStreetParking&{since}"),
        ("kyiv", "/ngsi-ld/v1/entities/urn:ngsi-ld:Bench:3?options=sysAttrs"),
        ("kyiv", "/ngsi-ld/v1/temporal/entities/urn:ngsi-ld:Bench:3"),
    ]
    entity = {
        "id": "urn:ngsi-ld:Bench:3",
        "type": "Bench",
        "seats": {"type": "Property", "value": 5},
    }
    assert demo.client.post("/ngsi-ld/v1/entities", json=entity).status_code == 201

    def answers(client: httpx.Client) -> list[bytes]:
        found = [client.get(url, headers={"NGSILD-Tenant": city}) for city, url in questions]
        assert [each.status_code for each in found if each.status_code not in (200, 206)] == []
        return [each.content for each in found]

    def settled() -> list[bytes] | None:
        """The answers, once the feeds have written all that they hold."""
        one, other = answers(demo.client), answers(demo.client)
        return one if one == other and min(map(len, one)) > 10 else None

    until(settled, "the feeds' data")
    command("backup", tmp_path / "b.tar", "--data", folder)
    before = answers(demo.client)
    command("restore", tmp_path / "b.tar", "--data", tmp_path / "restored")
    restored = Service("serve", tmp_path / "restored")
    try:
        assert answers(restored.client) == before
    finally:
        assert restored.stop() == 0


def test_acknowledged_writes_and_the_replay_survive_a_kill(demo: Service, folder: Path) -> None:
    entity = {
        "id": "urn:ngsi-ld:Bench:2",
        "type": "Bench",
        "seats": {"type": "Property", "value": 4},
    }
    until((folder / "tenants" / "kyiv" / "replay.json").exists, "the place of the replay")
    before = demo.client.get("/map/network").json()
    assert demo.client.post("/ngsi-ld/v1/entities", json=entity).status_code == 201
    demo.kill()
    again = Service("demo", folder)
    try:
        found = again.client.get("/ngsi-ld/v1/entities/urn:ngsi-ld:Bench:2").json()
        assert found["seats"]["value"] == 4
        after = again.client.get("/map/network").json()
        time_of = [
            {each["properties"]["id"]: each["properties"]["now"] for each in told["features"]}
            for told in (before, after)
        ]
        # It goes on from what was written down at most five seconds before the kill.
        assert time_of[1]["kyiv"] > time_of[0]["kyiv"] - 10_000
    finally:
        with again.client.stream("GET", "/c/kyiv/map/stream") as stream:
            assert next(stream.iter_bytes())
            assert again.stop() == 0
