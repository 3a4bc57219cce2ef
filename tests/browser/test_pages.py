"""The pages in a real browser: accessible, within the window, by keyboard, with charts."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from playwright.sync_api import Browser, Page, Route, expect, sync_playwright
from tests.practices.cards.support import card
from tests.web.pages.day import prepare
from tests.web.pages.support import ROOT, STATION, service

from rynek.base.errors import BadRequestData
from rynek.demo import PAST_WAVE, make_surveys
from rynek.indicators import seed_comparisons, seed_references
from rynek.practices import say
from rynek.practices.cards import FILE, LAST_RUN, Cards, Run

pytestmark = pytest.mark.browser

AXE = ROOT / "frontend" / "node_modules" / "axe-core" / "axe.min.js"
ENTITY = f"/c/oslo/entities/{STATION}"
GRENOBLE = "/c/oslo/practices/grenoble-low-emission-zone"
HOSTILE = "/c/oslo/entities/urn:ngsi-ld:Building:oslo:hostile"
PATHS = [
    "/",
    "/c/poznan/entities",
    ENTITY,
    HOSTILE,
    "/c/poznan/feeds",
    "/c/poznan/about",
    "/c/oslo/developers",
    "/service",
    "/practices",
    "/practices?q=chytr%C3%A9+kontejnery+low+emission",
    "/practices/prague-smart-bins",
    "/practices/grenoble-low-emission-zone",
    "/practices/effects?theme=air",
    "/c/oslo/practices/estimate",
    "/c/oslo/practices/plan",
    "/c/oslo/practices/new",
    "/practices?indicator=no2-mean",
    "/c/oslo/practices?indicator=bike-stations-empty",
    "/practices/oslo-bikes",
    "/surveys",
    f"/surveys/{PAST_WAVE}",
    "/c/oslo/indicators?period=2023-06-05",
    "/c/oslo/indicators/bike-stations-empty?period=2023-06-05",
    "/cities?q=lviv",
    "/cities?c=ua-hromadas:UA05020030000031457&c=ua-hromadas:UA05020010000053508",
    "/cities/ua-hromadas/UA05020030000031457",
    "/no",
]
PATIENCE = 60_000
COLOURS = ["color-contrast", "link-in-text-block"]
NOT_FOUND = "Failed to load resource: the server responded with a status of 404 (Not Found)"
BESIDE = "c=ua-hromadas:UA05020030000031457&c=ua-hromadas:UA05020010000053508"
LATE = '<p id="late" data-pending data-late>late</p>'
VALUES = '<div class="stack" id="values"'


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory, data: Path) -> Iterator[str]:
    """Where the service answers."""
    assert (ROOT / "src/rynek/web/static/app/manifest.json").exists(), "build the frontend first"
    folder = tmp_path_factory.mktemp("browser")
    prepare(folder, "poznan")
    make_surveys(folder)
    seed_comparisons(folder)
    seed_references(folder)
    make_card(folder)
    with service(folder, data) as found:
        computed(found)
        yield found


def make_card(folder: Path) -> None:
    """A card of Oslo's whose question was computed again: it failed, and says why."""
    cards = Cards(folder / FILE)
    panel = {"entity_type": "BikeHireDockingStation", "attribute": "availableBikeNumber"}
    panel |= {"first": "2023-06-01", "last": "now", "every": "day"}
    question = {
        "key": "bikes",
        "title": {"en": "Bicycles at the stations"},
        "indicators": ["bike-stations-empty"],
        "specification": {"panel": panel, "treated": [STATION], "start": "2023-06-05"},
    }
    cards.add("oslo-bikes", card(questions=[question]), owner="oslo", door="public")
    unit = say("no-unit", unit="urn:ngsi-ld:BikeHireDockingStation:oslo:none", some=[STATION])
    cards.attempts.note("oslo-bikes", "bikes", "failed", BadRequestData(unit))
    cards.set_note(LAST_RUN, msgspec.json.encode(Run(started=1, finished=2, total=1)).decode())
    cards.close()


def computed(address: str) -> None:
    """Return once the indicators of Oslo are computed: until then their page looks again."""
    for _ in range(4_000):
        answer = httpx.get(f"{address}/c/oslo/indicators?period=2023-06-05", timeout=60)
        if "data-pending" not in answer.text and "refresh" not in answer.headers:
            return
        time.sleep(0.3)


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    """One Chromium for all tests here."""
    arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with sync_playwright() as driver:
        launched = driver.chromium.launch(executable_path=chromium, args=arguments)
        yield launched
        launched.close()


def visit(
    browser: Browser, url: str, width: int = 1440, errors: list[str] | None = None, **options: Any
) -> Page:
    """A page in a context of its own; what its scripts and its console complain about goes into
    `errors`."""
    context = browser.new_context(viewport={"width": width, "height": 900}, **options)
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    if errors is not None:
        page.on(
            "console",
            lambda message: errors.append(message.text) if message.type == "error" else None,
        )
        page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(url)
    return page


def violations(page: Page, **options: Any) -> list[str]:
    """What axe finds serious or critical, as "rule: where"; the page has AXE already, or gets it."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE.read_text(encoding="utf-8"))
    options |= {"resultTypes": ["violations"]}
    found = page.evaluate("options => axe.run(document, options)", options)
    return [
        f"{each['id']}: {node['target']} {node['failureSummary']}"
        for each in found["violations"]
        if each["impact"] in ("serious", "critical")
        for node in each["nodes"]
    ]


@pytest.mark.parametrize("path", PATHS)
def test_pages_are_accessible_fit_and_log_no_error(
    browser: Browser, address: str, path: str
) -> None:
    """On a phone and on a desk, light and dark; a script that the content policy refuses would be
    logged."""
    errors: list[str] = []
    page = visit(browser, address + path, 360, color_scheme="light", errors=errors)
    page.wait_for_load_state("networkidle")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert violations(page) == []
    page.set_viewport_size({"width": 1440, "height": 900})
    assert page.evaluate("document.documentElement.scrollWidth") <= 1440
    assert violations(page) == []
    page.emulate_media(color_scheme="dark")
    assert page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    # The document is the same, its colours are not.
    assert violations(page, runOnly=COLOURS) == []
    assert errors == ([] if path != "/no" else [NOT_FOUND])
    page.context.close()


def test_who_may_write_a_card_sees_what_became_of_its_computation(
    browser: Browser, address: str
) -> None:
    page = visit(browser, f"{address}/practices/oslo-bikes?lang=uk", 360)
    told = page.locator("section[aria-labelledby=again]").inner_text()
    assert "не вдалося: " in told
    # There is no answer before that could stay, and a station has its name.
    assert "попередня" not in told
    assert STATION not in told
    page.context.close()


@pytest.mark.parametrize(
    "path",
    [
        ENTITY,
        "/c/poznan/feeds",
        "/c/poznan/entities",
        "/c/oslo/developers",
        "/service",
        GRENOBLE,
        "/c/oslo/practices/new",
        "/practices/oslo-bikes",
    ],
)
def test_long_words_fit_a_phone(browser: Browser, address: str, path: str) -> None:
    page = visit(browser, f"{address}{path}?lang=bg", 360)
    for language in ("bg", "uk", "pl"):
        if language != "bg":
            page.goto(f"{address}{path}?lang={language}")
        page.wait_for_load_state("networkidle")
        assert page.locator("html").get_attribute("lang") == language
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, language
    page.context.close()


def test_the_check_of_accessibility_can_fail(browser: Browser, address: str) -> None:
    page = visit(browser, address + "/c/poznan/about")
    page.evaluate(
        "document.querySelector('main').insertAdjacentHTML('beforeend', '<img src=\"/static/icons/rynek.svg\"><p id=pale>pale</p>')"
    )
    page.evaluate("document.getElementById('pale').style.color = '#eee'")
    assert {each.split(":")[0] for each in violations(page)} == {"image-alt", "color-contrast"}
    page.context.close()


def test_weights_move_by_keyboard_and_are_kept_in_the_address(
    browser: Browser, address: str
) -> None:
    page = visit(browser, address + "/compare/ua-budget-edemocracy")
    page.wait_for_load_state("networkidle")

    def order() -> list[str]:
        rows = "[...document.querySelectorAll('[data-kind=units] tbody tr')]"
        found: list[str] = page.evaluate(f"{rows}.map(row => row.dataset.id)")
        return found

    published = order()
    page.locator("#weights-box input[type=range]").first.focus()
    page.keyboard.press("End")
    page.wait_for_url("**/ua-budget-edemocracy?weights=*")
    moved = order()
    assert moved != published
    page.reload()
    page.wait_for_load_state("networkidle")
    assert order() == moved
    assert page.locator("#weights-box input[type=range]").first.input_value() == "100"
    page.context.close()


def test_the_keyboard_reaches_content_menus_and_language(browser: Browser, address: str) -> None:
    page = visit(browser, address + "/c/poznan/feeds")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    box = page.locator(".skip").bounding_box()
    assert box is not None
    assert box["y"] >= 0
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.locator(".top-tools summary").first.focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url("**/feeds?lang=pl")
    assert page.locator("html").get_attribute("lang") == "pl"
    assert page.locator("h1").inner_text().startswith("Źródła danych")
    page.context.close()


def test_the_chart_can_be_explored(browser: Browser, address: str) -> None:
    page = visit(browser, address + ENTITY)
    page.wait_for_selector(".chart-box .uplot")
    note = page.locator("[data-chart-note]")
    assert "readings" in note.inner_text()
    whole = note.inner_text()
    chart = page.locator("[data-chart]")
    chart.focus()
    with page.expect_response("**/series.json*") as asked:
        page.keyboard.press("+")
    assert asked.value.ok
    page.wait_for_function(
        "before => document.querySelector('[data-chart-note]').textContent !== before", arg=whole
    )
    link = page.locator("[data-chart-csv]").get_attribute("href") or ""
    assert "from=" in link
    assert "to=" in link
    with page.expect_response("**/series.json*"):
        page.get_by_role("button", name="Whole period").click()
    with page.expect_response("**/series.json*") as asked:
        page.locator("[data-attr='totalSlotNumber']").click()
    assert json.loads(asked.value.body())["attr"] == "totalSlotNumber"
    assert "attr=totalSlotNumber" in page.url
    page.context.close()


def test_dragging_zooms(browser: Browser, address: str) -> None:
    page = visit(browser, address + ENTITY)
    page.wait_for_selector(".chart-box .u-over")
    page.locator(".chart-box .u-over").scroll_into_view_if_needed()
    box = page.locator(".chart-box .u-over").bounding_box()
    assert box is not None
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] * 0.3, middle)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.6, middle, steps=5)
    with page.expect_response("**/series.json*") as asked:
        page.mouse.up()
    assert "from=" in asked.value.url
    page.context.close()


def test_chart_and_readings_can_be_saved(browser: Browser, address: str) -> None:
    page = visit(browser, address + ENTITY, accept_downloads=True)
    page.wait_for_selector(".chart-box .uplot")
    with page.expect_download() as saved:
        page.get_by_role("button", name="Picture as PNG").click()
    assert saved.value.suggested_filename == "Sogn_Studentby-availableBikeNumber.png"
    assert Path(saved.value.path()).read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    with page.expect_download() as saved:
        page.locator("[data-chart-csv]").click()
    assert saved.value.suggested_filename == "2351-availableBikeNumber.csv"
    page.context.close()


def test_without_scripts_all_is_there(browser: Browser, address: str) -> None:
    page = visit(browser, address + ENTITY, 360, java_script_enabled=False)
    assert page.locator(".chart-svg").count() == 1
    assert page.locator("table.now tbody tr").count() == 2
    page.locator(".latest summary").click()
    assert page.locator(".latest tbody tr").count() == 12
    page.get_by_role("link", name="Week").click()
    assert "range=week" in page.url
    page.context.close()


def test_changes_come_in_live(browser: Browser, address: str) -> None:
    page = visit(browser, address + "/c/oslo/developers")
    page.get_by_role("button", name="Follow live").click()
    tenant = {"NGSILD-Tenant": "oslo"}
    for name in ("urn:ngsi-ld:Thing:live", "urn:ngsi-ld:Thing:<b>"):
        body = [{"id": name.replace("<b>", "b"), "type": "Thing", "colour": {"value": "<i>"}}]
        answer = page.request.post(
            address + "/ngsi-ld/v1/entityOperations/upsert", data=body, headers=tenant
        )
        assert answer.ok
    page.wait_for_function("document.querySelector('[role=status]').textContent.startsWith('2')")
    first = page.locator(".changes tbody tr").first
    assert first.locator("th a").get_attribute("href") == "/c/oslo/entities/urn:ngsi-ld:Thing:b"
    assert "created" in first.inner_text()
    assert violations(page) == []
    page.context.close()


class Early:
    """Answers the first request for a page as if its values were not there yet."""

    def __init__(self, script: str) -> None:
        self.asked = 0
        self._script = f'<script type="module" src="{script}"></script>'

    def __call__(self, route: Route) -> None:
        self.asked += 1
        if self.asked > 1:
            route.continue_()
            return
        answer = route.fetch()
        body = answer.text()
        assert VALUES in body
        body = re.sub(f"({VALUES}[^>]*>)", LATE + r'\1<p id="old">…</p>', body)
        if self._script not in body:
            body = body.replace("</body>", self._script + "</body>")
        route.fulfill(response=answer, body=body)


@pytest.mark.parametrize("path", ["/cities", "/cities/embed"])
def test_values_come_in_without_a_reload(browser: Browser, address: str, path: str) -> None:
    page = browser.new_context().new_page()
    page.set_default_timeout(PATIENCE)
    whole = page.request.get(f"{address}/cities?{BESIDE}").text()
    early = Early(re.findall(r'src="([^"]*/indicators-[^"]+\.js)"', whole)[0])
    page.route(re.compile(re.escape(path) + r"\?"), early)
    page.clock.install()
    page.goto(f"{address}{path}?{BESIDE}")
    page.wait_for_load_state("networkidle")
    page.evaluate("window.same = true")
    expect(page.locator("#old")).to_have_count(1)
    for _ in range(20):  # each look of the script is due four seconds after the one before
        page.clock.run_for(4_100)
        if not page.locator("#late").count():
            break
        page.wait_for_timeout(250)
    expect(page.locator("#late")).to_have_count(0, timeout=PATIENCE)
    expect(page.locator("#old")).to_have_count(0)
    expect(page.locator("#values table.beside").first).to_be_visible()
    assert page.evaluate("window.same")
    assert early.asked >= 2
    page.context.close()


def test_a_ranking_on_a_phone_shows_every_figure_when_asked(browser: Browser, address: str) -> None:
    page = visit(browser, address + "/compare/ua-budget-edemocracy", 360)
    row = page.locator("[data-kind=groups] tbody tr").first
    more = row.locator("td:nth-child(5)")
    expect(more).to_be_hidden(timeout=PATIENCE)
    expect(row.locator("[data-score]")).to_be_visible()
    page.locator("label[for=all-groups]").click()
    expect(more).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.context.close()
