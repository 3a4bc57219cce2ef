"""Subscriptions as a resource: create, update, list, retrieve, delete (CIM 009 §5.8.1 - §5.8.5)."""

from __future__ import annotations

import time
from typing import Any

import httpx
import pytest
from tests.web.api.conftest import Serve

from rynek.app import Engine
from rynek.base.clock import MICRO, to_iso

ERRORS = "https://uri.etsi.org/ngsi-ld/errors/"
CORE = "https://uri.etsi.org/ngsi-ld/v1/ngsi-ld-core-context-v1.9.jsonld"
VOCAB = "https://uri.etsi.org/ngsi-ld/default-context/"
SUB = "urn:ngsi-ld:Subscription:1"


def subscription(**members: Any) -> dict[str, Any]:
    """A subscription to buses; None takes a member away."""
    document = {
        "id": SUB,
        "type": "Subscription",
        "entities": [{"type": "Bus"}],
        "notification": {"endpoint": {"uri": "http://203.0.113.1/notify"}},
    } | members
    return {name: value for name, value in document.items() if value is not None}


def params(**members: Any) -> dict[str, Any]:
    """Notification parameters."""
    return {"endpoint": {"uri": "http://203.0.113.1/notify"}} | members


def endpoint(**members: Any) -> dict[str, Any]:
    """Notification parameters with these members of the endpoint."""
    return {"endpoint": {"uri": "http://203.0.113.1/notify"} | members}


def in_seconds(engine: Engine, seconds: float) -> str:
    """A DateTime from now."""
    return to_iso(engine.clock.now() + int(seconds * 1e6))


def problem(answer: httpx.Response, status: int, kind: str, *words: str) -> None:
    """The answer is such a problem document and its detail names `words`."""
    assert answer.status_code == status, answer.text
    assert answer.json()["type"] == ERRORS + kind
    for word in words:
        assert word in answer.json()["detail"]


def test_create_retrieve_list_and_delete(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        made = await client.post("subscriptions", json=subscription(description="all buses"))
        assert made.status_code == 201
        assert made.content == b""
        assert made.headers["location"] == f"/ngsi-ld/v1/subscriptions/{SUB}"
        one = await client.get(f"subscriptions/{SUB}")
        assert one.status_code == 200
        assert one.json() == subscription(
            description="all buses", status="active", jsonldContext=CORE
        )
        assert CORE in one.headers["link"]
        several = await client.get("subscriptions/")
        assert several.json() == [one.json()]
        gone = await client.delete(f"subscriptions/{SUB}")
        assert (gone.status_code, gone.content) == (204, b"")
        problem(await client.get(f"subscriptions/{SUB}"), 404, "ResourceNotFound")
        problem(await client.delete(f"subscriptions/{SUB}"), 404, "ResourceNotFound")
        assert (await client.get("subscriptions")).json() == []

    serve(test)


def test_an_id_is_made_where_there_is_none_and_none_is_taken_twice(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        made = await client.post("subscriptions", json=subscription(id=None))
        path = made.headers["location"].rpartition("/")[2]
        assert path.startswith("urn:ngsi-ld:Subscription:")
        assert (await client.get(f"subscriptions/{path}")).json()["id"] == path
        assert (await client.post("subscriptions", json=subscription())).status_code == 201
        again = await client.post("subscriptions", json=subscription(description="2"))
        problem(again, 409, "AlreadyExists", SUB)
        assert "description" not in (await client.get(f"subscriptions/{SUB}")).json()

    serve(test)


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (subscription(type=None), ["type"]),
        (subscription(type="Sub"), ["type"]),
        (subscription(id="no uri"), ["id"]),
        (subscription(entities=None), ["entities", "watchedAttributes"]),
        (subscription(entities=[]), ["entities", "empty"]),
        (subscription(entities={}), ["entities"]),
        (subscription(entities=[{"id": "urn:a"}]), ["entities[0]", "type"]),
        (subscription(entities=[{"type": "Bus", "id": "x y"}]), ["entities[0].id"]),
        (subscription(entities=[{"type": "Bus", "idPattern": "("}]), ["entities[0].idPattern"]),
        (subscription(entities=[{"type": "Bus,("}]), ["entities[0].type"]),
        (subscription(watchedAttributes=[]), ["watchedAttributes", "empty"]),
        (subscription(watchedAttributes="speed"), ["watchedAttributes"]),
        (subscription(watchedAttributes=[1]), ["watchedAttributes"]),
        (subscription(notificationTrigger=["never"]), ["notificationTrigger", "never"]),
        (subscription(notificationTrigger=[]), ["notificationTrigger"]),
        (subscription(q="speed>>3"), ["q", "position"]),
        (subscription(q=3), ["q"]),
        (subscription(q="a{b}>3"), ["q", "join"]),
        (subscription(csf="x=="), ["csf"]),
        (subscription(expandValues=["a"]), ["expandValues"]),
        (subscription() | {"id": None}, ["id", "None"]),
        (subscription(entities=[{"type": "Bus", "id": None}]), ["entities[0].id: null"]),
        (subscription(entities=[{"type": "urn:ngsi-ld:null"}]), ["entities[0].type: null"]),
        (subscription(watchedAttributes=["urn:ngsi-ld:null"]), ["watchedAttributes[0]: null"]),
        (subscription(datasetId=["urn:ngsi-ld:null"]), ["datasetId[0]: null"]),
        (subscription(notification=params(pick=None)), ["notification.pick: null"]),
        (subscription(notification=endpoint(accept=None)), ["notification.endpoint.accept: null"]),
        (subscription(jsonKeys=["a"]), ["jsonKeys"]),
        (subscription(scopeQ="//"), ["scopeQ"]),
        (subscription(geoQ="near"), ["geoQ"]),
        (subscription(geoQ={"georel": "near"}), ["geoQ", "geometry"]),
        (
            subscription(geoQ={"georel": "in", "geometry": "Point", "coordinates": [1, 2]}),
            ["geoQ", "georel"],
        ),
        (subscription(temporalQ={"timerel": "after"}), ["temporalQ"]),
        (subscription(datasetId=[]), ["datasetId"]),
        (subscription(datasetId=["x y"]), ["datasetId"]),
        (subscription(throttling=0), ["throttling", "greater than 0"]),
        (subscription(throttling=True), ["throttling"]),
        (subscription(throttling=1e300), ["throttling", "is more than 1,000,000,000,000"]),
        (subscription(timeInterval=-1), ["timeInterval"]),
        (subscription(timeInterval=0.0001), ["timeInterval", "less than 0.1 seconds"]),
        (subscription(timeInterval=1e300), ["timeInterval", "is more than"]),
        (subscription(timeInterval=5, throttling=5), ["throttling", "timeInterval"]),
        (subscription(timeInterval=5, watchedAttributes=["a"]), ["watchedAttributes"]),
        (subscription(timeInterval=5, entities=None, localOnly=False), ["entities"]),
        (subscription(expiresAt="tomorrow"), ["expiresAt"]),
        (subscription(expiresAt="2020-01-01T00:00:00Z"), ["expiresAt", "past"]),
        (subscription(isActive="yes"), ["isActive"]),
        (subscription(jsonldContext="no uri"), ["jsonldContext"]),
        (subscription(ngsildConformance="1"), ["ngsildConformance"]),
        (subscription(localOnly=1), ["localOnly"]),
        (subscription(localOnly=False, entities=[{"type": "*"}]), ["localOnly", "*"]),
        (subscription(subscriptionName=1), ["subscriptionName"]),
        (subscription(description="urn:ngsi-ld:null"), ["description"]),
        (subscription(notification=None), ["notification"]),
        (subscription(notification={}), ["notification", "endpoint"]),
        (subscription(notification=params(endpoint={})), ["notification.endpoint", "uri"]),
        (subscription(notification=params(format="xml")), ["notification.format", "xml"]),
        (subscription(notification=params(attributes=[])), ["notification.attributes"]),
        (subscription(notification=params(attributes=["id"])), ["notification.attributes", "id"]),
        (subscription(notification=params(pick=[])), ["notification.pick"]),
        (subscription(notification=params(omit=["a,,b"])), ["notification.omit"]),
        (subscription(notification=params(pick=["a{b}"])), ["notification.pick", "join"]),
        (subscription(notification=params(join="all")), ["notification.join"]),
        (subscription(notification=params(join="flat", joinLevel=0)), ["joinLevel"]),
        (subscription(notification=params(sysAttrs="yes")), ["notification.sysAttrs"]),
        (
            subscription(notification=params(showChanges=True, format="keyValues")),
            ["notification.showChanges", "keyValues"],
        ),
        (subscription(notification=endpoint(uri="nothing")), ["notification.endpoint.uri"]),
        (subscription(notification=endpoint(uri="ftp://a/b")), ["notification.endpoint.uri"]),
        (subscription(notification=endpoint(uri="http://u:p@a/b")), ["endpoint.uri", "header"]),
        (subscription(notification=endpoint(uri="mqtt://a")), ["endpoint.uri", "topic"]),
        (subscription(notification=endpoint(accept="text/plain")), ["endpoint.accept"]),
        (subscription(notification=endpoint(timeout=0)), ["endpoint.timeout"]),
        (subscription(notification=endpoint(cooldown="1")), ["endpoint.cooldown"]),
        (
            subscription(notification=endpoint(receiverInfo={"key": "a"})),
            ["endpoint.receiverInfo"],
        ),
        (
            subscription(notification=endpoint(receiverInfo=[{"key": "A b", "value": "c"}])),
            ["endpoint.receiverInfo[0].key"],
        ),
        (
            subscription(notification=endpoint(receiverInfo=[{"key": "A", "value": "b\r\nC: d"}])),
            ["endpoint.receiverInfo[0].value"],
        ),
        (
            subscription(
                notification=endpoint(receiverInfo=[{"key": "Content-Length", "value": "1"}])
            ),
            ["endpoint.receiverInfo[0].key"],
        ),
        (
            subscription(
                notification=endpoint(
                    uri="mqtt://a/b", notifierInfo=[{"key": "MQTT-QoS", "value": "3"}]
                )
            ),
            ["endpoint.notifierInfo", "MQTT-QoS"],
        ),
        (
            subscription(
                notification=endpoint(
                    uri="mqtt://a/b", notifierInfo=[{"key": "MQTT-Version", "value": "4"}]
                )
            ),
            ["endpoint.notifierInfo", "MQTT-Version"],
        ),
    ],
    ids=lambda value: ",".join(value) if isinstance(value, list) else "",
)
def test_what_breaks_a_rule_is_bad_request_data_and_named(
    serve: Serve, document: dict[str, Any], words: list[str]
) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        problem(await client.post("subscriptions", json=document), 400, "BadRequestData", *words)
        assert (await client.get("subscriptions")).json() == []

    serve(test)


def test_bodies_that_are_no_json_or_of_another_type(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        json_type = {"Content-Type": "application/json"}
        bad = await client.post("subscriptions", content=b"{", headers=json_type)
        problem(bad, 400, "InvalidRequest")
        other = await client.post(
            "subscriptions", content=b"{}", headers={"Content-Type": "text/plain"}
        )
        assert other.status_code == 415
        problem(await client.get("subscriptions/nothing"), 400, "BadRequestData")
        problem(await client.patch("subscriptions/nothing", json={}), 400, "BadRequestData")
        problem(await client.delete("subscriptions/nothing"), 400, "BadRequestData")
        problem(await client.patch(f"subscriptions/{SUB}", json={}), 404, "ResourceNotFound")

    serve(test)


def test_every_member_comes_back_and_what_only_the_system_says_is_ignored(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, engine: Engine) -> None:
        document = subscription(
            subscriptionName="fast",
            description="fast buses",
            entities=[{"type": "Bus|Tram", "idPattern": "^urn:"}, {"type": "*", "id": ["urn:a"]}],
            watchedAttributes=["speed"],
            notificationTrigger=["entityCreated", "attributeUpdated"],
            q='speed>30;name~="x"',
            geoQ={
                "georel": "near;maxDistance==2000",
                "geometry": "Point",
                "coordinates": [16.9, 52.4],
                "geoproperty": "location",
            },
            scopeQ="/city/#",
            csf="quality>3",
            lang="pl",
            datasetId=["urn:d:1", "@none"],
            expandValues="name",
            throttling=1.5,
            expiresAt=in_seconds(engine, 3600),
            isActive=True,
            localOnly=True,
            splitEntities=False,
            ngsildConformance="1.6",
            notification=params(
                attributes=["speed"],
                pick=["id", "speed"],
                omit=["name"],
                format="concise",
                showChanges=True,
                sysAttrs=True,
                join="@none",
                joinLevel=1,
                endpoint={
                    "uri": "http://203.0.113.1/notify",
                    "accept": "application/ld+json",
                    "cooldown": 500,
                    "timeout": 300.5,
                    "receiverInfo": [{"key": "Authorization", "value": "Bearer x"}],
                    "notifierInfo": [{"key": "k", "value": "v"}],
                },
            ),
        )
        false = {"timesSent": 99, "status": "ok", "lastNotification": "2020-01-01T00:00:00Z"}
        sent = document | {
            "status": "expired",
            "createdAt": "2020-01-01T00:00:00Z",
            "notification": document["notification"] | false,
        }
        assert (await client.post("subscriptions", json=sent)).status_code == 201
        got = (await client.get(f"subscriptions/{SUB}")).json()
        assert got == document | {"status": "active", "jsonldContext": CORE}
        shown = (await client.get(f"subscriptions/{SUB}?options=sysAttrs")).json()
        assert shown["createdAt"] == shown["modifiedAt"] > "2026"

    serve(test)


def test_names_are_shown_under_the_context_that_is_asked_for(serve: Serve) -> None:
    context = {"geschwindigkeit": f"{VOCAB}speed", "ort": f"{VOCAB}place", "Bus": f"{VOCAB}Bus"}
    document = subscription(
        entities=[{"type": "Bus"}],
        watchedAttributes=["geschwindigkeit"],
        q="geschwindigkeit>3;ort.geschwindigkeit[a.b]==1|createdAt>2020-01-01T00:00:00Z",
        geoQ={"georel": "within", "geometry": "Point", "coordinates": "[1,2]", "geoproperty": "ort"},
        notification=params(pick=["id", "ort{geschwindigkeit}"], join="inline"),
    ) | {"@context": context}  # fmt: skip

    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        made = await client.post(
            "subscriptions", json=document, headers={"Content-Type": "application/ld+json"}
        )
        assert made.status_code == 201, made.text
        got = (await client.get(f"subscriptions/{SUB}")).json()
        assert got["watchedAttributes"] == ["speed"]
        assert got["q"] == "speed>3;place.speed[a.b]==1|createdAt>2020-01-01T00:00:00Z"
        assert got["geoQ"]["geoproperty"] == "place"
        assert got["notification"]["pick"] == ["id", "place{speed}"]
        hosted = got["jsonldContext"]
        assert hosted.startswith("http://rynek.test/ngsi-ld/v1/jsonldContexts/")
        assert (await client.get(hosted)).json()["@context"] is not None
        as_ld = await client.get(f"subscriptions/{SUB}", headers={"Accept": "application/ld+json"})
        assert as_ld.json()["@context"] == CORE
        assert "link" not in as_ld.headers

    serve(test)


def test_a_jsonld_context_that_cannot_be_had(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        away = subscription(jsonldContext="http://127.0.0.1:9/context.jsonld")
        problem(await client.post("subscriptions", json=away), 504, "LdContextNotAvailable")
        assert (await client.post("subscriptions", json=subscription())).status_code == 201
        changed = {"jsonldContext": "http://127.0.0.1:9/context.jsonld"}
        answer = await client.patch(f"subscriptions/{SUB}", json=changed)
        problem(answer, 504, "LdContextNotAvailable")

    serve(test)


def test_an_update_replaces_members_and_null_deletes_them(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        path = f"subscriptions/{SUB}"
        await client.post(
            "subscriptions", json=subscription(description="a", q="speed>3", throttling=5)
        )
        fragment = {
            "type": "Subscription",
            "description": "b",
            "q": "urn:ngsi-ld:null",
            "throttling": None,
            "watchedAttributes": ["speed"],
            "notification": params(format="concise"),
        }
        answer = await client.patch(path, json=fragment)
        assert (answer.status_code, answer.content) == (204, b"")
        got = (await client.get(path)).json()
        assert got == subscription(
            description="b",
            watchedAttributes=["speed"],
            notification=params(format="concise"),
            status="active",
            jsonldContext=CORE,
        )

    serve(test)


@pytest.mark.parametrize(
    ("fragment", "words"),
    [
        ({"id": "urn:other"}, ["id"]),
        ({"type": "Other"}, ["type"]),
        ({"notification": "urn:ngsi-ld:null"}, ["notification"]),
        ({"notification": {"format": "wrong"}}, ["notification", "format"]),
        ({"notification": {"endpoint": {}}}, ["notification", "endpoint"]),
        ({"entities": "urn:ngsi-ld:null"}, ["entities"]),
        ({"entities": []}, ["entities"]),
        ({"timeInterval": 5, "watchedAttributes": ["a"]}, ["watchedAttributes"]),
        ({"throttling": -1}, ["throttling"]),
        ({"expiresAt": "2020-01-01T00:00:00Z"}, ["expiresAt"]),
        ({"expiresAt": "2020-01-01T00:00:00Z", "isActive": False}, ["expiresAt"]),
        ({"q": ">"}, ["q"]),
    ],
)
def test_an_update_that_breaks_a_rule_changes_nothing(
    serve: Serve, fragment: dict[str, Any], words: list[str]
) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        await client.post("subscriptions", json=subscription())
        before = (await client.get(f"subscriptions/{SUB}")).json()
        answer = await client.patch(f"subscriptions/{SUB}", json=fragment)
        problem(answer, 400, "BadRequestData", *words)
        assert (await client.get(f"subscriptions/{SUB}")).json() == before

    serve(test)


def test_notification_params_without_an_endpoint_change_what_they_name(serve: Serve) -> None:
    """§5.8.2.4: no whole NotificationParams (§5.2.14) could leave the endpoint out."""

    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        path = f"subscriptions/{SUB}"
        made = params(attributes=["a"], format="keyValues")
        await client.post("subscriptions", json=subscription(notification=made))
        for told, kept in (
            ({"format": "concise"}, made | {"format": "concise"}),
            ({"attributes": ["b"]}, made | {"attributes": ["b"], "format": "concise"}),
            ({"format": "urn:ngsi-ld:null"}, params(attributes=["b"])),
        ):
            assert (await client.patch(path, json={"notification": told})).status_code == 204
            assert (await client.get(path)).json()["notification"] == kept
        own = {"@context": [{"a": "https://example.org/a"}], "notification": {"pick": ["id", "a"]}}
        ld = {"Content-Type": "application/ld+json"}
        answer = await client.patch(path, json=own, headers=ld)
        problem(answer, 400, "BadRequestData", "notification", "@context")
        await client.patch(path, json={"notification": params()})
        assert (await client.get(path)).json()["notification"] == params()

    serve(test)


def test_the_status_follows_is_active_and_the_expiration_date(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    ahead = [0]
    monkeypatch.setattr(
        "rynek.context.subscriptions.registry.system_clock",
        lambda: time.time_ns() // 1000 + ahead[0],
    )

    async def test(client: httpx.AsyncClient, engine: Engine) -> None:
        path = f"subscriptions/{SUB}"

        async def status(fragment: dict[str, Any]) -> str:
            assert (await client.patch(path, json=fragment)).status_code == 204
            return str((await client.get(path)).json()["status"])

        await client.post("subscriptions", json=subscription(isActive=False))
        assert (await client.get(path)).json()["status"] == "paused"
        assert await status({"isActive": True}) == "active"
        assert await status({"expiresAt": in_seconds(engine, 60)}) == "active"
        ahead[0] = 61 * MICRO
        assert (await client.get(path)).json()["status"] == "expired"
        assert await status({"isActive": True}) == "expired"
        assert await status({"isActive": False}) == "expired"
        assert await status({"expiresAt": in_seconds(engine, 200)}) == "active"
        assert await status({"isActive": False}) == "paused"
        assert await status({"expiresAt": in_seconds(engine, 300)}) == "paused"
        assert await status({"isActive": True, "expiresAt": in_seconds(engine, 200)}) == "active"

    serve(test)


def test_lists_come_in_pages(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        for number in range(5):
            document = subscription(id=f"urn:s:{number}")
            assert (await client.post("subscriptions", json=document)).status_code == 201
        await client.patch("subscriptions/urn:s:1", json={"description": "changed"})
        page = await client.get("subscriptions?limit=2&offset=1&count=true")
        assert [one["id"] for one in page.json()] == ["urn:s:1", "urn:s:2"]
        assert page.headers["ngsild-results-count"] == "5"
        links = page.headers.get_list("link")
        assert any('rel="next"' in link and "offset=3" in link for link in links)
        assert any('rel="prev"' in link for link in links)
        none = await client.get("subscriptions?limit=0&count=true")
        assert (none.json(), none.headers["ngsild-results-count"]) == ([], "5")
        problem(await client.get("subscriptions?limit=-1"), 400, "BadRequestData")

    serve(test)


def test_subscriptions_survive_a_restart(serve: Serve) -> None:
    context = {"geschwindigkeit": f"{VOCAB}speed"}
    document = subscription(q="geschwindigkeit>3") | {"@context": context}
    seen: list[Any] = []

    async def make(client: httpx.AsyncClient, _: Engine) -> None:
        await client.post(
            "subscriptions", json=document, headers={"Content-Type": "application/ld+json"}
        )
        await client.post("subscriptions", json=subscription(id="urn:s:2", isActive=False))
        await client.post("subscriptions", json=subscription(id="urn:s:3"))
        await client.delete("subscriptions/urn:s:3")
        seen.append((await client.get("subscriptions")).json())

    async def look(client: httpx.AsyncClient, _: Engine) -> None:
        assert (await client.get("subscriptions")).json() == seen[0]

    serve(make)
    serve(look)


def test_a_tenant_comes_into_being_with_its_first_subscription(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, engine: Engine) -> None:
        other = {"NGSILD-Tenant": "other"}
        answer = await client.get("subscriptions", headers=other)
        problem(answer, 404, "NonexistentTenant")
        bad = await client.post("subscriptions", json=subscription(q=">"), headers=other)
        problem(bad, 400, "BadRequestData")
        assert "other" not in engine.tenants
        made = await client.post("subscriptions", json=subscription(), headers=other)
        assert (made.status_code, made.headers["ngsild-tenant"]) == (201, "other")
        assert len((await client.get("subscriptions", headers=other)).json()) == 1
        assert (await client.get("subscriptions")).json() == []

    serve(test)


def test_who_may_only_read_sees_no_subscriptions(serve: Serve) -> None:
    """They hold addresses and secrets of receivers."""

    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        assert (await client.get("subscriptions")).status_code == 401
        assert (await client.post("subscriptions", json=subscription())).status_code == 401

    serve(test, access__anonymous="read")


def test_there_is_a_most(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        assert (await client.post("subscriptions", json=subscription())).status_code == 201
        more = await client.post("subscriptions", json=subscription(id="urn:s:2"))
        assert more.status_code == 403

    serve(test, notifications__max_subscriptions=1)
