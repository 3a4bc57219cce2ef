"""The live map in a real browser: drawn, moving, told to everyone, on a phone and on a desk."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import httpx
import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright
from tests.web.pages.support import ROOT, service

pytestmark = pytest.mark.browser

# Software rendering: WebGL without a graphics card.
ARGUMENTS = ["--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader",
             "--enable-unsafe-swiftshader", "--disable-background-networking"]  # fmt: skip
PATIENCE = 60_000
AXE = ROOT / "frontend" / "node_modules" / "axe-core" / "axe.min.js"


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory, data: Path) -> Iterator[str]:
    """Where the service answers."""
    assert (ROOT / "src/rynek/web/static/app/manifest.json").exists(), "build the frontend first"
    with service(tmp_path_factory.mktemp("map"), data) as found:
        yield found


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    """One Chromium for all tests here."""
    with sync_playwright() as driver:
        launched = driver.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield launched
        launched.close()


class Visit:
    """A page of its own, with what its console complained about and where it asked."""

    def __init__(self, browser: Browser, url: str, width: int = 1280, **options: Any) -> None:
        self.complaints: list[str] = []
        self.hosts: set[str] = set()
        context = browser.new_context(viewport={"width": width, "height": 740}, **options)
        self.page: Page = context.new_page()
        self.page.set_default_timeout(PATIENCE)
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.hosts.add(request.url.split("/")[2]))
        self.page.goto(url)

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type == "error" or "could not be loaded" in message.text:
            self.complaints.append(message.text)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.page.context.close()


def drawn(page: Page) -> None:
    """Wait until the map has drawn and the list beside it is filled."""
    page.wait_for_selector("#map[data-ready=true]")
    page.wait_for_selector(".thing-list li", state="attached")


def test_the_map_is_drawn_from_its_own_host_without_complaint(
    browser: Browser, address: str
) -> None:
    with Visit(browser, f"{address}/c/poznan/") as visit:
        drawn(visit.page)
        expect(visit.page.locator(".chip[data-theme-key=transport]")).to_contain_text("544")
        expect(visit.page.locator("#map-plain")).to_be_hidden()
        assert visit.complaints == []
        assert {host for host in visit.hosts if host} == {address.split("/")[2]}


def test_a_write_moves_the_list_without_reload(browser: Browser, address: str) -> None:
    with Visit(browser, f"{address}/c/oslo/") as visit:
        drawn(visit.page)
        assert "Aaa New" not in visit.page.locator(".thing-list").inner_text()
        body = {
            "id": "urn:ngsi-ld:BikeHireDockingStation:oslo:new",
            "type": "BikeHireDockingStation",
            "name": {"type": "Property", "value": "Aaa New Station"},
            "location": {
                "type": "GeoProperty",
                "value": {"type": "Point", "coordinates": [10.74, 59.92]},
            },
            "availableBikeNumber": {"type": "Property", "value": 12},
            "totalSlotNumber": {"type": "Property", "value": 20},
        }
        headers = {"NGSILD-Tenant": "oslo"}
        httpx.post(f"{address}/ngsi-ld/v1/entityOperations/upsert", json=[body], headers=headers)
        added = visit.page.locator(".thing-list li", has_text="Aaa New Station")
        expect(added).to_contain_text("12 of 20", timeout=PATIENCE)


def test_the_list_is_worked_by_keyboard_and_leads_to_the_entity(
    browser: Browser, address: str
) -> None:
    with Visit(browser, f"{address}/c/oslo/") as visit:
        page = visit.page
        drawn(page)
        page.locator(".thing-list").focus()
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Enter")
        chosen = page.locator(".thing-list li[aria-selected=true]")
        expect(chosen).to_have_count(1)
        name = chosen.locator(".thing-name").inner_text()
        expect(page.locator(".thing-card h2")).to_have_text(name)
        page.locator(".thing-card a").click()
        page.wait_for_url("**/c/oslo/entities/**")
        expect(page.locator("h1")).to_contain_text(name)


def test_themes_can_be_left_out_and_the_address_keeps_it(browser: Browser, address: str) -> None:
    with Visit(browser, f"{address}/c/poznan/") as visit:
        page = visit.page
        drawn(page)
        page.locator(".chip[data-theme-key=transport]").click()
        expect(page.locator(".chip[data-theme-key=transport]")).to_have_attribute(
            "aria-pressed", "false"
        )
        expect(page.locator(".thing-list li")).to_have_count(0, timeout=PATIENCE)
        page.wait_for_function("() => location.hash.includes('bikes')")
        assert "transport" not in page.evaluate("location.hash")
        page.reload()
        page.wait_for_selector("#map[data-ready=true]")
        expect(page.locator(".chip[data-theme-key=transport]")).to_have_attribute(
            "aria-pressed", "false"
        )


def test_search_finds_a_line(browser: Browser, address: str) -> None:
    with Visit(browser, f"{address}/c/poznan/") as visit:
        page = visit.page
        drawn(page)
        page.locator("#map-search").fill("701/11")
        page.locator(".results button").first.click()
        expect(page.locator(".thing-card h2")).to_contain_text("701")


def test_tabs_share_one_stream(browser: Browser, address: str) -> None:
    with Visit(browser, f"{address}/c/poznan/") as visit:
        drawn(visit.page)
        asked: list[str] = []
        second = visit.page.context.new_page()
        second.on("request", lambda r: asked.append(r.url) if "/map/stream" in r.url else None)
        second.goto(f"{address}/c/poznan/")
        second.wait_for_selector("#map[data-ready=true]", timeout=PATIENCE)
        second.wait_for_timeout(1500)
        assert asked == []
        visit.page.close()  # the tab that held the stream goes: the other takes over
        for _ in range(2_000):
            if asked:
                break
            second.wait_for_timeout(100)
        assert len(asked) == 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_has_room_for_everything(browser: Browser, address: str, scheme: str) -> None:
    with Visit(browser, f"{address}/c/oslo/", width=360, color_scheme=scheme) as visit:
        page = visit.page
        drawn(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        page.locator(".grip").click()
        expect(page.locator(".grip")).to_have_attribute("aria-expanded", "true")
        expect(page.locator(".thing-list li").first).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_serious_for_those_who_do_not_see_it(
    browser: Browser, address: str, scheme: str
) -> None:
    with Visit(browser, f"{address}/c/oslo/", color_scheme=scheme) as visit:
        drawn(visit.page)
        visit.page.locator(".thing-list li").first.click()
        visit.page.evaluate(AXE.read_text(encoding="utf-8"))
        found = visit.page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        serious = [
            f"{each['id']}: {node['target']} {node['failureSummary']}"
            for each in found["violations"]
            if each["impact"] in ("serious", "critical")
            for node in each["nodes"]
        ]
        assert serious == []


def test_the_network_map_shows_the_cities(browser: Browser, address: str) -> None:
    with Visit(browser, f"{address}/") as visit:
        visit.page.wait_for_selector("#network-map canvas")
        visit.page.wait_for_timeout(1500)
        assert visit.complaints == []


def test_without_script_the_counts_are_there(browser: Browser, address: str) -> None:
    with Visit(browser, f"{address}/c/poznan/", java_script_enabled=False) as visit:
        expect(visit.page.locator("#map-plain")).to_contain_text("544")
        expect(visit.page.locator("#map-frame")).to_be_hidden()
