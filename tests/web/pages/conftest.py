"""One running service for all tests of pages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from tests.web.api.conftest import serve
from tests.web.pages.support import service

__all__ = ["serve"]


@pytest.fixture(scope="session")
def address(tmp_path_factory: pytest.TempPathFactory, data: Path) -> Iterator[str]:
    """Where the service answers."""
    with service(tmp_path_factory.mktemp("pages"), data) as found:
        yield found


@pytest.fixture
def client(address: str) -> Iterator[httpx.Client]:
    """A visitor without cookies."""
    with httpx.Client(base_url=address, timeout=30) as visitor:
        yield visitor
