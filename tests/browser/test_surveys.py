"""A survey answered on a phone: 360 px wide, by keyboard alone, saved, gone on with elsewhere, with
a measured figure contested; and its results in another site's frame."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest
from playwright.sync_api import Browser, Page
from tests.browser.test_pages import browser, violations, visit
from tests.indicators.survey.test_measured import FIGURE, asked
from tests.web.pages.support import ROOT

from rynek.demo import PAST_WAVE, make_surveys
from rynek.indicators import Respondent, Surveys

__all__ = ["browser"]

pytestmark = pytest.mark.browser
FAR = 4_000_000_000_000_000
ACTIVE = "document.activeElement"


class Served(NamedTuple):
    address: str
    folder: Path
    links: dict[str, str]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A service whose folder holds surveys alone."""
    folder = tmp_path_factory.mktemp("surveys")
    make_surveys(folder)
    surveys = Surveys(folder)
    surveys.put(asked(folder))
    surveys.publish("towns", FAR, place="Europe/Kyiv")
    people = [Respondent(name, name.title()) for name in ("ruse", "brno")]
    tokens = surveys.invite("towns", people)
    surveys.measure("towns", {one.id: FIGURE for one in people})
    surveys.close()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-c", "from rynek.cli.main import main; main()", "serve"]
    running = subprocess.Popen(
        [*command, "--data", str(folder), "--port", str(port)],
        env=os.environ | {"PYTHONPATH": str(ROOT / "src")},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        address = f"http://127.0.0.1:{port}"
        until_ready(running, address)
        yield Served(address, folder, {name: f"/survey/{tokens[name]}" for name in tokens})
    finally:
        running.terminate()
        running.wait(20)


def until_ready(running: subprocess.Popen[bytes], address: str) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        assert running.poll() is None
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(f"{address}/health/live", timeout=30).status_code == 200:
                return
        time.sleep(0.1)
    raise AssertionError("the service did not start")


def reach(page: Page, selector: str) -> None:
    """Press Tab until what `selector` finds has the focus."""
    for _ in range(60):
        if page.evaluate(f"{ACTIVE}.matches({selector!r})"):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"no Tab reaches {selector}")


def enter(page: Page, selector: str) -> None:
    """Press Enter on what `selector` finds, and wait for the page that follows."""
    reach(page, selector)
    with page.expect_navigation():
        page.keyboard.press("Enter")


def well(page: Page) -> None:
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert violations(page) == []


def test_a_phone_by_keyboard_alone(browser: Browser, served: Served) -> None:
    page = visit(browser, served.address + served.links["ruse"], 360, has_touch=True)
    assert "Europe/Kyiv" in page.content()
    assert "Measured: 1,200 inhabitants" in page.content()
    well(page)
    enter(page, "button.primary")
    assert page.locator("[role=alert]").count() == 1
    well(page)
    # The list of what is missing leads to the question.
    reach(page, "[role=alert] a")
    page.keyboard.press("Enter")
    assert page.url.endswith("#f-people")
    reach(page, "input[value=confirmed]")
    page.keyboard.press("ArrowDown")
    assert page.evaluate(f"{ACTIVE}.value") == "contested"
    reach(page, "input[inputmode=decimal]")
    page.keyboard.type("900")
    reach(page, "textarea")
    page.keyboard.type("The last census")
    enter(page, "button[value=save]")
    assert page.locator("[role=status]").count() == 1
    well(page)
    page.context.close()

    # Elsewhere, by the same link, it is all there; what depends on the figure is not asked.
    link = served.address + served.links["ruse"]
    page = visit(browser, f"{link}?at=size", 360, color_scheme="dark")
    assert page.locator("input[value=contested]").is_checked()
    assert page.locator("input[inputmode=decimal]").input_value() == "900"
    assert page.locator("textarea").input_value() == "The last census"
    page.goto(link)
    told = page.locator("dl.survey-answers").inner_text()
    assert "900 (Measured: 1,200 inhabitants; The last census)" in told
    well(page)
    enter(page, "button[value=submit]")
    assert page.locator("form.survey-form").count() == 0
    well(page)
    page.context.close()
    sent = {one.respondent.id: one for one in Surveys(served.folder).responses("towns")}["ruse"]
    assert sent.submitted is not None
    assert sent.answers["people"] == "900"
    assert sent.answers["people~told"] == "contested"
    assert sent.answers["people~reason"] == "The last census"


def test_enter_in_a_field_goes_on_and_never_sends(browser: Browser, served: Served) -> None:
    page = visit(browser, served.address + served.links["brno"], 360)
    reach(page, "input[inputmode=decimal]")
    page.keyboard.type("7")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    assert page.locator("[role=alert]").count() == 1
    assert page.locator("input[inputmode=decimal]").input_value() == "7"
    page.context.close()


@pytest.mark.parametrize(("width", "language"), [(360, "uk"), (1280, "en")])
def test_results_in_a_frame(browser: Browser, served: Served, width: int, language: str) -> None:
    path = f"/surveys/{PAST_WAVE}/embed?lang={language}"
    page = visit(browser, served.address + path, width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator("progress").count() > 5
    assert violations(page) == []
    page.context.close()
