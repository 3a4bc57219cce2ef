"""What was asked is counted by route, method and status, and logged where it is wanted."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.web.api.conftest import serve

from rynek.app import Engine
from rynek.web import Application
from rynek.web.counted import route_of
from rynek.web.tally import BOUNDS, Tally

__all__ = ["serve"]
Serve = Callable[..., None]
ROOT = "http://rynek.test"


def counts(engine: Engine) -> dict[tuple[str, str, int], int]:
    return {(a.route, a.method, a.status): a.count for a in engine.tally.answered()}


def test_answers_are_counted_by_route_method_and_status(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, engine: Engine) -> None:
        for number in range(3):
            made = await client.post(
                "entities", json={"id": f"urn:ngsi-ld:Tram:{number}", "type": "Tram"}
            )
            assert made.status_code == 201
            await client.get(f"entities/urn:ngsi-ld:Tram:{number}")
        await client.get("entities/urn:ngsi-ld:Tram:9")
        await client.get("nowhere/at/all")
        for method in ("BREW", "SIP"):
            await client.request(method, "entities")
        for path in ("/health", "/c/default/about", "/c/default/etc", "/wp-login.php"):
            await client.get(ROOT + path)
        assert counts(engine) == {
            ("entities", "POST", 201): 3,
            ("entities/*", "GET", 200): 3,
            ("entities/*", "GET", 404): 1,
            ("other", "GET", 404): 3,
            ("entities", "other", 405): 2,
            ("/health", "GET", 200): 1,
            ("/c/*/about", "GET", 200): 1,
        }
        one = next(a for a in engine.tally.answered() if a.method == "POST")
        assert len(one.buckets) == len(BOUNDS) + 1
        assert one.seconds > 0

    serve(test)


def test_sizes_and_times_are_added(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("rynek.web.tally.perf_counter", lambda: now[0])
    tally = Tally()
    scope = {"method": "GET", "path": "/x", "headers": []}
    for took in (0.000_1, 0.000_11, 3.0, 60.0):
        tally.note("x", "GET", 200, now[0] - took, 10, scope)
    (one,) = tally.answered()
    assert (one.size, one.count) == (40, 4)
    assert one.seconds == pytest.approx(63.000_21)
    by_bound = dict(zip((*BOUNDS, "above"), one.buckets, strict=True))
    assert sum(one.buckets[:2]) == 2
    assert (by_bound[5.0], by_bound["above"]) == (1, 1)


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/", "/"),
        ("/c/kyiv/", "/c/*/"),
        ("/c/kyiv/entities/urn:x/series.json", "/c/*/entities"),
        ("/static/app/x.js", "/static"),
        ("/notified/kyiv/secret", "/notified"),
        ("/c/kyiv/anything", "other"),
        ("/anything/else", "other"),
    ],
)
def test_paths_of_pages_have_few_classes(path: str, route: str) -> None:
    assert route_of(path, "") == route
    assert route_of("/city" + path, "/city") == route


def lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    return [vars(record) for record in caplog.records if record.name == "rynek.access"]


def test_the_access_log_has_a_line_for_each_answer(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)

    async def test(client: httpx.AsyncClient, engine: Engine) -> None:
        await client.get("types?token=abc", headers={"NGSILD-Tenant": "default"})
        await client.post(ROOT + "/notified/default/my-secret", json={})
        await client.get(ROOT + "/c/default/about")
        await client.get("types?x=" + "y" * 9)
        await client.get(ROOT + "/survey/my-secret")
        await client.get(ROOT + "/api/indicators/v1/cities/brno/values")
        first, second, third, _, survey, city = lines(caplog)
        assert (first["method"], first["path"], first["status"], first["tenant"]) == (
            "GET", "/ngsi-ld/v1/types", 400, "default",
        )  # fmt: skip
        assert first["ms"] > 0
        assert second["path"] == "/notified/***"
        assert survey["path"] == "/survey/***"
        assert city["tenant"] == "brno"
        assert (third["tenant"], third["bytes"] > 1000) == ("default", True)
        assert not any("my-secret" in str(line) for line in lines(caplog))

    serve(test, log__access=True)


def test_slow_answers_are_logged_without_an_access_log(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    async def test(client: httpx.AsyncClient, engine: Engine) -> None:
        engine.tally._logged_from = engine.tally._slow = 1e-9
        await client.get("types")
        (one,) = lines(caplog)
        assert (one["levelname"], one["msg"]) == ("WARNING", "slow answer")

    serve(test)


def test_by_default_plain_answers_are_not_logged(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)

    async def test(client: httpx.AsyncClient, engine: Engine) -> None:
        await client.get("types")
        assert lines(caplog) == []

    serve(test)


def test_problems_carry_the_id_of_their_request(
    serve: Serve, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test(client: httpx.AsyncClient, engine: Engine) -> None:
        known = {"X-Request-ID": "ticket-7"}
        lost = await client.get("entities/urn:ngsi-ld:Tram:9", headers=known)
        assert lost.headers["x-request-id"] == "ticket-7"
        assert "instance" not in lost.json()
        fine = await client.get("types", headers=known)
        assert "x-request-id" not in fine.headers

        def broken(*_: object, **__: object) -> None:
            raise RuntimeError("the disk fell out")

        monkeypatch.setattr(type(engine.tenant("default").context), "body", broken)
        failed = await client.get("entities/urn:ngsi-ld:Tram:9")
        made = failed.headers["x-request-id"]
        assert (failed.status_code, len(made)) == (500, 32)
        assert failed.json()["instance"] == f"urn:rynek:request:{made}"
        page = await client.get(ROOT + "/c/default/entities/urn:ngsi-ld:Tram:9", headers=known)
        assert page.status_code in (404, 500)
        assert page.headers["x-request-id"] == "ticket-7"

    serve(test)


def test_a_service_that_is_full_still_says_that_it_lives(serve: Serve) -> None:
    async def test(_: httpx.AsyncClient, engine: Engine) -> None:
        app = Application(engine)
        app.refuse(True)
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url=ROOT) as visitor:
            full = await visitor.get("/ngsi-ld/v1/types")
            assert full.status_code == 503
            made = full.headers["x-request-id"]
            assert full.json()["instance"] == f"urn:rynek:request:{made}"
            assert (await visitor.get("/health/ready")).status_code == 503
            assert (await visitor.get("/health/live")).status_code == 200
        assert counts(engine)["other", "GET", 503] == 1

    serve(test)


def test_the_log_of_what_failed_has_no_secret(
    serve: Serve, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test(client: httpx.AsyncClient, engine: Engine) -> None:
        def broken(*_: object) -> None:
            raise RuntimeError("the roof fell in")

        monkeypatch.setattr(engine, "tenant", broken)
        answer = await client.post(ROOT + "/notified/default/my-secret", json={})
        assert answer.status_code == 500
        failed = [one for one in caplog.records if one.name == "rynek.web.counted"]
        assert "/notified/***" in failed[0].getMessage()
        assert not any("my-secret" in one.getMessage() for one in caplog.records)

    serve(test)


def test_a_page_that_fails_is_logged_with_its_id(
    serve: Serve, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from rynek.base import log

    written = tmp_path / "log"

    async def test(client: httpx.AsyncClient, engine: Engine) -> None:
        def broken(*_: object) -> None:
            raise RuntimeError("the roof fell in")

        monkeypatch.setattr(type(engine.tenant("default").feeds), "health", broken)
        file = logging.FileHandler(written)
        log.setup("info", "json", file=file)
        page = await client.get(ROOT + "/c/default/feeds", headers={"X-Request-ID": "ticket-8"})
        assert page.status_code == 500
        assert page.headers["x-request-id"] == "ticket-8"
        assert "ticket-8" in page.text
        assert '"request":"ticket-8"' in written.read_text()
        assert "the roof fell in" in written.read_text()
        assert counts(engine)["/c/*/feeds", "GET", 500] == 1

    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    try:
        serve(test)
    finally:
        root.setLevel(level)
        root.handlers[:] = handlers
