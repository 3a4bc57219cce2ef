"""The pages as a visitor without scripts gets them."""

from __future__ import annotations

import csv
import io
import re
from urllib.parse import quote

import httpx
import pytest
from tests.web.pages.support import STATION, STATIONS

from rynek.web.i18n import LANGUAGES

HOSTILE = "urn:ngsi-ld:Building:oslo:hostile"
PATHS = [
    "/",
    "/c/poznan/entities",
    "/c/poznan/feeds",
    "/c/poznan/about",
    f"/c/oslo/entities/{STATION}",
    "/c/oslo/entities?type=BikeHireDockingStation",
    "/entities",
    "/feeds",
    "/about",
]


def get(client: httpx.Client, path: str, **headers: str) -> str:
    answer = client.get(path, headers=headers)
    assert answer.status_code == 200, path
    return answer.text


@pytest.mark.parametrize("path", PATHS)
def test_a_page_is_whole_without_scripts(client: httpx.Client, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 200
    text = answer.text
    assert len(re.findall(r"<h1[ >]", text)) == 1
    assert '<main id="main"' in text
    assert '<a class="skip" href="#main">' in text
    policy = answer.headers["content-security-policy"]
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
    assert not re.search(r"<script(?![^>]*(src=|application/json))", text)
    assert ' style="' not in text
    assert not re.search(r' on[a-z]+="', text)
    assert not re.search(r'(src|href)="(https?:)?//(?!www\.openstreetmap\.org|oslobysykkel)', text)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("path", PATHS)
def test_every_page_in_every_language(client: httpx.Client, path: str, language: str) -> None:
    text = get(client, path, **{"accept-language": language})
    assert f'<html lang="{language}"' in text
    for other in LANGUAGES:
        assert f'hreflang="{other}"' in text


def test_the_language_is_remembered(client: httpx.Client) -> None:
    assert '<html lang="uk"' in get(client, "/feeds?lang=uk")
    assert '<html lang="uk"' in get(client, "/about", **{"accept-language": "pl"})
    assert '<html lang="cs"' in get(client, "/about?lang=cs")


def test_an_unknown_language_is_not(client: httpx.Client) -> None:
    assert '<html lang="en"' in get(client, "/feeds?lang=tlh")
    assert "lang" not in client.cookies


def test_the_theme_is_remembered_and_leads_nowhere_else(client: httpx.Client) -> None:
    answer = client.get("/c/oslo/entities?theme=dark&q=a")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/c/oslo/entities?q=a"
    assert 'data-theme="dark"' in get(client, "/about")
    for path in ("/practices", "/practices/effects?x=1", "/practices/search?q=waste", "/compare",
                 "/c/oslo/entities", "/c/oslo/practices/estimate"):  # fmt: skip
        assert 'data-theme="dark"' in client.get(path, follow_redirects=True).text, path
    away = client.get("//elsewhere.example/?theme=light")
    assert not away.headers.get("location", "/").startswith(("//", "http"))


def test_the_start_page_shows_the_cities(client: httpx.Client) -> None:
    text = get(client, "/?lang=bg")
    assert "Познан" in text
    assert "Полша" in text
    assert "Норвегия" in text
    assert re.search(r'class="count">544<', text)
    assert 'id="network-map"' in text
    assert "/c/default/" not in text  # neither things nor feeds: no city that anyone set up


def test_a_recording_is_named_with_its_date(client: httpx.Client) -> None:
    text = get(client, "/c/poznan/about?lang=pl")
    assert "Nagranie, nie na żywo." in text
    assert "Pojazdy z 28 stycznia 2026" in text
    assert "28 sty 2026, 16:03:19 a 28 sty 2026" in text  # a local time stays what it is
    assert "Recorded, not live." not in get(client, "/c/oslo/about?lang=en")


def test_terms_of_public_bodies_are_named_as_such(client: httpx.Client) -> None:
    assert "public data of ZTM Poznań" in get(client, "/c/poznan/feeds")
    assert "NLOD 2.0" in get(client, "/c/oslo/about")
    assert 'href="https://oslobysykkel.no/apne-data"' in get(client, "/c/oslo/about")


def test_an_entity_says_what_it_is(client: httpx.Client) -> None:
    text = get(client, f"/c/oslo/entities/{STATION}?lang=cs")
    for part in ("Sogn Studentby", "Stanice kol", "Dostupná kola", "59.952084, 10.727853"):
        assert part in text
    assert "NGSILD-Tenant: oslo" in text
    assert "urn:ngsi-ld:BikeHireDockingStation:oslo:2350" in text  # the one before it
    assert text.count("<polyline") == 1
    assert "availableBikeNumber" in text


def test_a_vehicle_of_a_feed_says_where_it_comes_from(client: httpx.Client) -> None:
    found = re.search(r"/c/poznan/entities/urn:ngsi-ld:Vehicle[^\"]*", get(client, "/entities"))
    assert found
    text = get(client, found.group())
    assert 'href="/c/poznan/feeds#vehicles"' in text
    assert "ZTM Poznań" in text


def test_hostile_texts_stay_texts(client: httpx.Client) -> None:
    for path in (f"/c/oslo/entities/{HOSTILE}", "/c/oslo/entities?type=Building"):
        text = get(client, path)
        assert "<script>alert" not in text
        assert "<img" not in text
        assert 'href="javascript' not in text
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    text = get(client, f"/c/oslo/entities/{HOSTILE}")
    assert f'<a href="/c/oslo/entities/{STATION}">Sogn Studentby</a>' in text
    for attr in ("height", "depth"):
        assert client.get(f"/c/oslo/entities/{HOSTILE}?attr={attr}").status_code == 200
    assert ">gone</span>" in text


def test_search_narrows_sorts_and_pages(client: httpx.Client) -> None:
    path = "/c/poznan/entities?type=Vehicle"
    assert "544 entries" in get(client, path)
    assert "Page 1 of 11" in get(client, path)
    assert 'rel="next"' not in get(client, path + "&page=11")
    assert "Page 11 of 11" in get(client, path + "&page=99999")
    assert "Page 1 of 11" in get(client, path + "&page=-1")
    rising = get(client, "/c/oslo/entities?type=BikeHireDockingStation&sort=name")
    falling = get(client, "/c/oslo/entities?type=BikeHireDockingStation&sort=-name")
    ids = [re.findall(r"oslo:\d+(?=</span>)", text) for text in (rising, falling)]
    assert len(ids[0]) == STATIONS - 1  # one of them was not in the recording of that day
    assert ids[0] == ids[1][::-1]
    assert "Sogn Studentby" in get(client, "/c/oslo/entities?q=sogn+2351")
    assert "Nothing found." in get(client, "/c/oslo/entities?q=%22%3E%3Cnone")


def test_feeds_tell_their_health(client: httpx.Client) -> None:
    text = get(client, "/c/poznan/feeds")
    assert "Out of date" in text
    assert "Failing" in text
    assert "No such file or directory" in text
    assert "/gtfs_rt/poznan" not in text  # folders of the server are nobody's business
    assert re.search(r"Records in the last poll</dt><dd>544", text)
    assert text.count('<svg class="spark"') == 2
    assert "No feed is configured" in get(client, "/c/oslo/feeds")


def test_series_are_bounded_and_true(client: httpx.Client) -> None:
    url = f"/c/oslo/entities/{STATION}/series.json"
    whole = client.get(url, params={"attr": "availableBikeNumber", "points": "4000"}).json()
    assert whole["readings"] == len(whole["t"]) > 60
    assert not whole["thinned"]
    assert whole["t"] == sorted(whole["t"])
    assert (whole["last"][0], whole["last"][-1]) == (2, 10)
    thinned = client.get(url, params={"attr": "availableBikeNumber", "points": "10"}).json()
    assert len(thinned["t"]) <= 10
    assert max(thinned["max"]) == max(whole["last"])
    assert min(thinned["min"]) == min(whole["last"])
    half = whole["t"][len(whole["t"]) // 2]
    later = client.get(url, params={"attr": "availableBikeNumber", "from": str(half)}).json()
    assert 0 < later["readings"] < whole["readings"]
    assert later["t"][0] >= half


@pytest.mark.parametrize(
    "query",
    [
        "",
        "?attr=nothing",
        "?attr=",
        "?attr=availableBikeNumber&points=" + "9" * 400,
        "?attr=availableBikeNumber&points=800&from=--5",
    ],
)
def test_odd_questions_about_series_get_an_answer(client: httpx.Client, query: str) -> None:
    answer = client.get(f"/c/oslo/entities/{STATION}/series.json{query}")
    assert answer.status_code == (200 if "points" in query else 404)


def test_readings_can_be_downloaded(client: httpx.Client) -> None:
    url = f"/c/oslo/entities/{STATION}/series.csv"
    answer = client.get(url, params={"attr": "availableBikeNumber"})
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert 'filename="2351-availableBikeNumber.csv"' in answer.headers["content-disposition"]
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert rows[0]["time"] == "2023-06-05T00:18:50Z"
    assert float(rows[0]["value"]) == 2
    whole = client.get(url.replace("csv", "json") + "?attr=availableBikeNumber&points=4000").json()
    assert len(rows) <= whole["readings"]
    hostile = client.get(f"/c/oslo/entities/{HOSTILE}/series.csv?attr=description")
    values = [row["value"] for row in csv.DictReader(io.StringIO(hostile.text))]
    assert values == ['\'=HYPERLINK("http://x")"\'><img src=x>']


@pytest.mark.parametrize(
    "path",
    [
        "/c/nowhere/",
        "/c/oslo/entities/urn:x:none",
        "/c/oslo/entities/" + quote("<script>alert(1)</script>", safe=""),
        "/nothing/here",
        "/c/%2e%2e/feeds",
        "/i18n/xx.json",
    ],
)
def test_what_is_not_there_is_said(client: httpx.Client, path: str) -> None:
    answer = client.get(path, headers={"accept-language": "sr"})
    assert answer.status_code == 404
    assert "<script>alert" not in answer.text
    if "i18n" not in path:
        assert "Страница није пронађена" in answer.text


def test_a_missing_page_of_a_city_keeps_the_city(client: httpx.Client) -> None:
    answer = client.get("/c/oslo/nothing")
    assert answer.status_code == 404
    assert 'href="/c/oslo/entities"' in answer.text
    assert 'href="/c/oslo/entities"' not in client.get("/c/nowhere/nothing").text


def test_a_long_address_is_not_said_again_a_dozen_times(client: httpx.Client) -> None:
    usual = len(client.get("/nothing").text)
    query = "&".join(f"name{number}={'x' * 600}" for number in range(40))
    answer = client.get("/nothing?" + query)
    assert answer.status_code == 404
    assert len(answer.text) < usual + 20 * 3_000
    assert "name0=" + "x" * 500 + "&amp;" in answer.text
