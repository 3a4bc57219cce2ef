"""What all tests share: the recorded data, and the browser of those that need one."""

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from tests.demo.service import end_all
from tests.examples import examples
from tests.recorded import COMPLETE, DATA

MISSING = "not among the recordings that ship with the demo"
# How quick a machine is while it tests is no property of what is tested.
settings.register_profile(
    "rynek",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    max_examples=examples(),
)
settings.load_profile("rynek")
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of recorded real data (tests/recorded.py); RYNEK_TEST_DATA names another."""
    return DATA


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """In a clone without the recorded data, a test of a file that is not there is skipped."""
    try:
        return (yield)
    except Exception as error:
        if COMPLETE or not _is_missing(error):
            raise
        pytest.skip(f"{MISSING}: {error}")


def _is_missing(error: BaseException) -> bool:
    named = re.search(
        re.escape(str(DATA)) + r"[^'\"\s]*", f"{error} {getattr(error, 'filename', '')}"
    )
    return named is not None and not Path(named.group()).exists()


def pytest_sessionfinish() -> None:
    """No service outlives the tests."""
    end_all()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say loudly what a clone alone could not test."""
    skipped = terminalreporter.stats.get("skipped", [])
    count = sum(1 for report in skipped if MISSING in str(report.longrepr))
    if count:
        terminalreporter.write_line("")
        terminalreporter.write_line(
            f"{count} TESTS NEED RECORDED DATA THAT ARE NOT HERE AND WERE SKIPPED: put them into "
            "../shared/data beside the checkout, or name their folder in RYNEK_TEST_DATA.",
            yellow=True,
            bold=True,
        )


@pytest.fixture(scope="session")
def chromium() -> str:
    """Path of a Chromium to drive; a test that uses it is marked `browser`."""
    found = find_chromium()
    if found is None:
        pytest.fail("a test that uses the chromium fixture must be marked `browser`")
    return found


def find_chromium() -> str | None:
    """RYNEK_TEST_BROWSER, or the first Chromium on PATH."""
    for name in (os.environ.get("RYNEK_TEST_BROWSER", ""), *BROWSERS):
        found = shutil.which(name) if name else None
        if found is not None:
            return found
    return None


def find_mosquitto() -> str | None:
    """The MQTT broker's program, which Debian puts where only root looks."""
    return shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """What a test needs of the machine: skipped without on a desk, failed where CI=true, so that
    none goes unseen."""
    needs = {
        "browser": (
            find_chromium,
            "Chromium found (apt install chromium, or set RYNEK_TEST_BROWSER)",
        ),
        "mosquitto": (find_mosquitto, "Mosquitto found (apt install mosquitto)"),
    }
    for marker, (find, what) in needs.items():
        if item.get_closest_marker(marker) is None or find() is not None:
            continue
        if os.environ.get("CI", "").lower() == "true":
            pytest.fail(f"no {what}", pytrace=False)
        pytest.skip(f"no {what}")
