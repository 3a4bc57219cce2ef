"""What all tests share: the recorded data, and the browser of those that need one."""

import os
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of recorded real data beside the checkout; RYNEK_TEST_DATA names another."""
    folder = Path(os.environ.get("RYNEK_TEST_DATA") or ROOT.parent / "shared" / "data")
    if not folder.is_dir():
        pytest.fail(
            f"no recorded data at {folder}: the tests read ../shared/data beside the checkout "
            "(or the folder that RYNEK_TEST_DATA names)",
            pytrace=False,
        )
    return folder


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


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Without a browser: skipped on a desk, failed where CI=true, so that none goes unseen."""
    if item.get_closest_marker("browser") is None or find_chromium() is not None:
        return
    message = "no Chromium found (apt install chromium, or set RYNEK_TEST_BROWSER)"
    if os.environ.get("CI", "").lower() == "true":
        pytest.fail(message, pytrace=False)
    pytest.skip(message)
