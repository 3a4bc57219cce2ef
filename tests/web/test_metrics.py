"""`/metrics`: what is exposed, who may read it, and how many series there are."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as parse_openmetrics,
)
from prometheus_client.parser import text_string_to_metric_families as parse
from tests.web.api.conftest import serve

from rynek.app import Engine
from rynek.base.ids import SERVICE_TENANT
from rynek.base.looplag import LoopDelay
from rynek.web import Application
from rynek.web.watch import listed

__all__ = ["serve"]
Serve = Callable[..., None]
ROOT = "http://rynek.test"
FROM_LIBRARY = ("process_", "python_")


def samples(text: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in parse(text)
        for sample in family.samples
    }


async def fill(client: httpx.AsyncClient) -> None:
    for number in range(5):
        body = {"id": f"urn:ngsi-ld:Tram:{number}", "type": "Tram", "speed": {"value": number}}
        body["speed"] = {"type": "Property", "value": number}
        assert (await client.post("entities", json=body)).status_code == 201
    stop = {"id": "urn:ngsi-ld:Stop:1", "type": "Stop"}
    made = await client.post("entities", json=stop, headers={"NGSILD-Tenant": "kyiv"})
    assert made.status_code == 201
    assert (await client.get("entities/urn:ngsi-ld:Tram:1")).status_code == 200


def test_what_happened_is_exposed(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, engine: Engine) -> None:
        await fill(client)
        await engine.tenant("default").history.flush()
        answer = await client.get(ROOT + "/metrics")
        assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
        found = samples(answer.text)
        route = (("method", "POST"), ("route", "entities"), ("status", "201"))
        assert found["rynek_http_requests_total", route] == 6
        buckets = [
            value
            for (name, labels), value in found.items()
            if name == "rynek_http_request_duration_seconds_bucket"
            and dict(labels)["route"] == "entities"
        ]
        assert buckets == sorted(buckets)
        assert buckets[-1] == 6
        tenant = (("tenant", "default"),)
        assert found["rynek_entities", tenant] == 5
        assert found["rynek_entities", (("tenant", "kyiv"),)] == 1
        assert found["rynek_entity_types", tenant] == 1
        assert found["rynek_changes_total", tenant] == 5
        assert found["rynek_change_log_rows", tenant] == 5
        assert found["rynek_commit_duration_seconds_count", tenant] >= 1
        assert found["rynek_commit_jobs_sum", tenant] >= 5
        assert found["rynek_history_flushes_total", tenant] >= 1
        assert found["rynek_history_flushed_rows_total", tenant] == 5
        assert found["rynek_history_unread_changes", tenant] == 0
        assert found["rynek_history_rows", tenant] == 5
        assert found["rynek_history_bytes", tenant] > 0
        assert found["rynek_database_bytes", tenant] > 4096
        assert found["rynek_tenants", (("state", "open"),)] == 2
        assert found["rynek_anonymous_memory_bytes", ()] > 1 << 20
        assert found["process_open_fds", ()] > 3
        assert found["rynek_disk_size_bytes", ()] >= found["rynek_disk_free_bytes", ()] > 0

    serve(test, metrics__anonymous="all")


def test_every_metric_has_a_name_that_is_listed(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, engine: Engine) -> None:
        await fill(client)
        head = {"Accept": "application/openmetrics-text; version=1.0.0"}
        answer = await client.get(ROOT + "/metrics", headers=head)
        assert answer.headers["content-type"].startswith("application/openmetrics-text")
        assert answer.text.endswith("# EOF\n")
        families = list(parse_openmetrics(answer.text))  # type: ignore[no-untyped-call]
        exposed = {
            one.name + ("_total" if one.type == "counter" else "")
            for one in families
            if not one.name.startswith(FROM_LIBRARY)
        }
        assert exposed == {one.name for one in listed()}
        assert all(one.documentation for one in families)

    serve(test, metrics__anonymous="all")


def test_series_of_tenants_can_be_added_up(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, engine: Engine) -> None:
        await fill(client)
        found = samples((await client.get(ROOT + "/metrics")).text)
        assert found["rynek_entities", (("tenant", ""),)] == 6
        tenants = {dict(labels).get("tenant", "") for _, labels in found}
        assert tenants == {""}
        assert not any(name.startswith("rynek_feed_") for name, _ in found)

    serve(test, metrics__anonymous="all", metrics__tenants=False)


@pytest.mark.parametrize(
    ("anonymous", "client", "headers", "status"),
    [
        ("none", "127.0.0.1", {}, 401),
        ("loopback", "127.0.0.1", {}, 200),
        ("loopback", "::1", {}, 200),
        ("loopback", "::ffff:127.0.0.1", {}, 200),
        ("loopback", "192.0.2.7", {}, 401),
        ("loopback", "127.0.0.1", {"X-Forwarded-For": "192.0.2.7"}, 401),
        ("loopback", "127.0.0.1", {"Forwarded": "for=192.0.2.7"}, 401),
        ("loopback", "127.0.0.1", {"Authorization": "Bearer rynek_wrong"}, 401),
        ("all", "192.0.2.7", {}, 200),
    ],
)
def test_without_a_token_only_whom_the_settings_let_in(
    serve: Serve, anonymous: str, client: str, headers: dict[str, str], status: int
) -> None:
    async def test(_: httpx.AsyncClient, engine: Engine) -> None:
        transport = httpx.ASGITransport(app=Application(engine), client=(client, 1234))
        async with httpx.AsyncClient(transport=transport, base_url=ROOT) as visitor:
            answer = await visitor.get("/metrics", headers=headers)
            assert answer.status_code == status
            if status == 401:
                assert answer.headers["www-authenticate"].startswith("Bearer")
                assert "rynek_entities" not in answer.text

    serve(test, metrics__anonymous=anonymous)


@pytest.mark.parametrize(
    ("scopes", "status"),
    [
        (("admin",), 200),
        ((f"read:{SERVICE_TENANT}",), 200),
        (("read:default", f"admin:{SERVICE_TENANT}"), 200),
        (("write",), 403),
        (("read",), 403),
        (("admin:default",), 403),
    ],
)
def test_a_scraper_sends_a_token(serve: Serve, scopes: tuple[str, ...], status: int) -> None:
    async def test(client: httpx.AsyncClient, engine: Engine) -> None:
        head = {"Authorization": f"Bearer {engine.tokens.create('prometheus', scopes)}"}
        assert (await client.get(ROOT + "/metrics", headers=head)).status_code == status
        own = head | {"NGSILD-Tenant": SERVICE_TENANT}
        assert (await client.get("entities?type=X", headers=own)).status_code in (
            (403,) if status == 403 else (200, 404)
        )

    serve(test)


def test_no_one_writes_into_the_tenant_of_the_service(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, engine: Engine) -> None:
        own = {"NGSILD-Tenant": SERVICE_TENANT}
        body = {"id": "urn:ngsi-ld:Tram:1", "type": "Tram"}
        assert (await client.post("entities", json=body, headers=own)).status_code == 401
        assert SERVICE_TENANT not in engine.tenants

    serve(test, access__anonymous="write", metrics__anonymous="all")


def test_many_scrapes_at_once_read_the_figures_once(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test(client: httpx.AsyncClient, engine: Engine) -> None:
        counted: list[Any] = []
        store = type(engine.tenant("default").context.store)
        figures = store.figures

        def counting(self: Any) -> Any:
            counted.append(self)
            return figures(self)

        monkeypatch.setattr(store, "figures", counting)
        answers = await asyncio.gather(*(client.get(ROOT + "/metrics") for _ in range(8)))
        assert {answer.status_code for answer in answers} == {200}
        assert len(counted) == 1

    serve(test, metrics__anonymous="all")


def test_the_delay_of_the_loop_is_seen() -> None:
    async def body() -> None:
        probe = LoopDelay(every=0.02)
        probe.start()
        await asyncio.sleep(0.05)
        time.sleep(0.12)  # noqa: ASYNC251 - this is what is looked for
        await asyncio.sleep(0.03)
        probe.stop()
        seen = sum(probe.buckets)
        assert probe.take_worst() >= 0.08
        assert probe.take_worst() == 0.0
        assert probe.seconds >= 0.08
        await asyncio.sleep(0.05)
        assert sum(probe.buckets) == seen

    asyncio.run(body())


def test_receivers_and_sources_that_fail_are_counted(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, engine: Engine) -> None:
        nobody = "http://127.0.0.1:9/"
        subscription = {
            "type": "Subscription",
            "entities": [{"type": "Tram"}],
            "notification": {"endpoint": {"uri": nobody, "accept": "application/json"}},
        }
        source = {
            "type": "ContextSourceRegistration",
            "information": [{"entities": [{"type": "Bus"}]}],
            "endpoint": nobody,
            "management": {"cooldown": 60_000},
        }
        assert (await client.post("subscriptions", json=subscription)).status_code == 201
        assert (await client.post("csourceRegistrations", json=source)).status_code == 201
        await fill(client)
        await client.get("entities?type=Bus")
        tenant = (("tenant", "default"),)
        async with asyncio.timeout(10):
            while True:
                found = samples((await client.get(ROOT + "/metrics")).text)
                if found["rynek_notifications_failed_total", tenant]:
                    break
                await asyncio.sleep(0.1)
        assert found["rynek_outbox_messages", tenant] == 5
        assert found["rynek_outbox_bytes", tenant] > 500
        assert found["rynek_sources", tenant] == 1
        assert found["rynek_source_failures_total", tenant] == 1
        assert found["rynek_sources_resting", tenant] == 1

    serve(test, metrics__anonymous="all", network__allow_private=True)
