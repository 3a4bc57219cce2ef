"""Subscriptions to registrations and their notifications (CIM 009 §5.11, §5.3.2, §6.12, §6.13)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from tests.web.api.conftest import Serve
from tests.web.api.receiver import Receiver

from rynek.app import Engine
from rynek.base.clock import to_iso

CORE = "https://uri.etsi.org/ngsi-ld/v1/ngsi-ld-core-context-v1.9.jsonld"
ERRORS = "https://uri.etsi.org/ngsi-ld/errors/"
SUB = "urn:ngsi-ld:Subscription:sources"
REG = "urn:ngsi-ld:ContextSourceRegistration:one"
SQUARE = {"type": "Polygon", "coordinates": [[[8, 40], [9, 40], [9, 41], [8, 41], [8, 40]]]}
VEHICLES = {"entities": [{"type": "Vehicle"}], "propertyNames": ["speed"]}
PARKING = {"entities": [{"type": "Parking"}]}


def subscription(uri: str = "http://203.0.113.1/n", **members: Any) -> dict[str, Any]:
    """A subscription to sources of vehicles; None takes a member away."""
    document = {
        "id": SUB,
        "type": "Subscription",
        "entities": [{"type": "Vehicle"}],
        "notification": {"endpoint": {"uri": uri}},
    } | members
    return {name: value for name, value in document.items() if value is not None}


def registration(**more: Any) -> dict[str, Any]:
    """A source of vehicles and parking places."""
    return {
        "id": REG,
        "type": "ContextSourceRegistration",
        "information": [VEHICLES, PARKING],
        "endpoint": "http://source.test",
    } | more


async def post(client: httpx.AsyncClient, path: str, document: dict[str, Any]) -> None:
    """Create it."""
    answer = await client.post(path, json=document)
    assert answer.status_code == 201, answer.text


async def patch(client: httpx.AsyncClient, path: str, fragment: dict[str, Any]) -> None:
    """Change it."""
    answer = await client.patch(path, json=fragment)
    assert answer.status_code == 204, answer.text


def problem(answer: httpx.Response, status: int, kind: str, word: str = "") -> None:
    """The answer is such a problem document."""
    assert answer.status_code == status, answer.text
    assert answer.json()["type"] == ERRORS + kind
    assert word in answer.json()["detail"]


def told(serve: Serve, test: Callable[..., Awaitable[None]], **settings: Any) -> None:
    """Run a test that has a receiver beside client and engine."""

    async def run(client: httpx.AsyncClient, engine: Engine) -> None:
        async with Receiver() as receiver:
            await test(client, engine, receiver)

    serve(run, network__allow_private=True, **settings)


def test_create_retrieve_list_update_and_delete(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, engine: Engine) -> None:
        temporal = {"timerel": "before", "timeAt": "2020-01-01T00:00:00Z"}
        document = subscription(temporalQ=temporal, csf='owner=="town"', description="all")
        answer = await client.post("csourceSubscriptions", json=document)
        assert (answer.status_code, answer.content) == (201, b"")
        assert answer.headers["location"] == f"/ngsi-ld/v1/csourceSubscriptions/{SUB}"
        shown = document | {"isActive": True, "status": "active", "jsonldContext": CORE}
        one = (await client.get(f"csourceSubscriptions/{SUB}")).json()
        assert {**shown, **one} == {**one, **shown}
        page = await client.get("csourceSubscriptions", params={"count": "true", "limit": 1})
        assert page.json() == [one]
        assert page.headers["ngsild-results-count"] == "1"
        inside = await client.get(
            f"csourceSubscriptions/{SUB}", headers={"Accept": "application/ld+json"}
        )
        assert inside.json() == one | {"@context": CORE}
        problem(await client.post("csourceSubscriptions", json=document), 409, "AlreadyExists")
        await patch(
            client,
            f"csourceSubscriptions/{SUB}",
            {"description": "urn:ngsi-ld:null", "isActive": False},
        )
        changed = (await client.get(f"csourceSubscriptions/{SUB}")).json()
        assert "description" not in changed
        assert (changed["status"], changed["temporalQ"]) == ("paused", temporal)
        assert (await client.get("subscriptions")).json() == []
        assert (await client.delete(f"csourceSubscriptions/{SUB}")).status_code == 204
        assert (await client.get("csourceSubscriptions")).json() == []
        for answer in (
            await client.get(f"csourceSubscriptions/{SUB}"),
            await client.delete(f"csourceSubscriptions/{SUB}"),
            await client.patch(f"csourceSubscriptions/{SUB}", json={"description": "x"}),
        ):
            problem(answer, 404, "ResourceNotFound")
        problem(await client.get("csourceSubscriptions/x"), 400, "BadRequestData")

    serve(test)


@pytest.mark.parametrize(
    ("members", "named"),
    [
        ({"entities": None}, "entities"),
        ({"type": "Registration"}, "type"),
        ({"notification": None}, "notification"),
        ({"csf": "a=="}, "csf"),
        ({"temporalQ": "now"}, "temporalQ"),
        ({"temporalQ": {"timerel": "at", "timeAt": "2020-01-01T00:00:00Z"}}, "timerel"),
        ({"temporalQ": {"timerel": "before"}}, "timeAt"),
        (
            {
                "temporalQ": {
                    "timerel": "before",
                    "timeAt": "2020-01-01T00:00:00Z",
                    "timeproperty": ["observedAt"],
                }
            },
            "timeproperty",
        ),
        ({"temporalQ": {"timerel": "before", "timeAt": "yesterday"}}, "timeAt"),
        ({"temporalQ": {"timerel": "between", "timeAt": "2020-01-01T00:00:00Z"}}, "endTimeAt"),
        (
            {
                "temporalQ": {
                    "timerel": "before",
                    "timeAt": "2020-01-01T00:00:00Z",
                    "timeproperty": "x",
                }
            },
            "timeproperty",
        ),
        ({"expiresAt": "2001-01-01T00:00:00Z"}, "expiresAt"),
        ({"timeInterval": 1, "watchedAttributes": ["a"]}, "watchedAttributes"),
        (
            {
                "notification": {
                    "endpoint": {"uri": "http://a.test", "accept": "application/geo+json"}
                }
            },
            "accept",
        ),
    ],
)
def test_what_breaks_a_rule_is_refused(serve: Serve, members: dict[str, Any], named: str) -> None:
    async def test(client: httpx.AsyncClient, engine: Engine) -> None:
        document = subscription(**members)
        problem(
            await client.post("csourceSubscriptions", json=document), 400, "BadRequestData", named
        )
        assert (await client.get("csourceSubscriptions")).json() == []
        if named not in ("entities", "notification", "type"):
            await post(client, "csourceSubscriptions", subscription())
            answer = await client.patch(f"csourceSubscriptions/{SUB}", json=members)
            problem(answer, 400, "BadRequestData", named)

    serve(test)


def test_what_matches_is_told_first_and_then_each_change(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, engine: Engine, receiver: Receiver) -> None:
        await post(client, "csourceRegistrations", registration())
        await post(
            client, "csourceRegistrations", registration(id="urn:r:2", information=[PARKING])
        )
        await post(client, "csourceSubscriptions", subscription(receiver.uri()))
        first = (await receiver.wait(1))[0]
        assert first.headers["content-type"] == "application/json"
        assert CORE in first.headers["link"]
        assert first.body["type"] == "ContextSourceNotification"
        assert first.body["subscriptionId"] == SUB
        assert first.body["triggerReason"] == "newlyMatching"
        assert first.body["notifiedAt"].endswith("Z")
        assert first.body["data"] == [registration(information=[VEHICLES])]

        await post(
            client, "csourceRegistrations", registration(id="urn:r:3", information=[VEHICLES])
        )
        await patch(client, "csourceRegistrations/urn:r:3", {"description": "new"})
        await patch(client, "csourceRegistrations/urn:r:2", {"information": [VEHICLES]})
        await patch(client, "csourceRegistrations/urn:r:2", {"information": [PARKING]})
        await patch(client, "csourceRegistrations/urn:r:2", {"description": "nobody's business"})
        assert (await client.delete("csourceRegistrations/urn:r:3")).status_code == 204
        rest = [one.body for one in (await receiver.wait(6))[1:]]
        assert len({one["id"] for one in rest} | {first.body["id"]}) == 6
        by_registration: dict[str, list[str]] = {}
        for one in rest:
            assert len(one["data"]) == 1
            by_registration.setdefault(one["data"][0]["id"], []).append(one["triggerReason"])
        assert by_registration == {
            "urn:r:3": ["newlyMatching", "updated", "noLongerMatching"],
            "urn:r:2": ["newlyMatching", "noLongerMatching"],
        }
        counted = (await client.get(f"csourceSubscriptions/{SUB}")).json()["notification"]
        assert (counted["timesSent"], counted["status"]) == (6, "ok")
        assert len(receiver.received) == 6

    told(serve, test)


def test_an_update_of_the_subscription_tells_of_all_that_matches(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, engine: Engine, receiver: Receiver) -> None:
        await post(client, "csourceSubscriptions", subscription(receiver.uri()))
        await post(client, "csourceRegistrations", registration())
        await receiver.wait(1)
        await patch(client, f"csourceSubscriptions/{SUB}", {"entities": [{"type": "Parking"}]})
        second = (await receiver.wait(2))[1].body
        assert second["triggerReason"] == "newlyMatching"
        assert second["data"] == [registration(information=[PARKING])]
        await patch(client, f"csourceSubscriptions/{SUB}", {"isActive": False})
        await patch(client, f"csourceRegistrations/{REG}", {"description": "x"})
        await patch(client, f"csourceSubscriptions/{SUB}", {"isActive": True})
        third = (await receiver.wait(3))[2].body
        assert third["data"][0]["description"] == "x"

    told(serve, test)


def test_names_and_bodies_are_those_of_the_subscription(serve: Serve) -> None:
    context = {"Car": "https://uri.etsi.org/ngsi-ld/default-context/Vehicle"}

    async def test(client: httpx.AsyncClient, engine: Engine, receiver: Receiver) -> None:
        document = subscription(
            entities=[{"type": "Car"}],
            notification={
                "sysAttrs": True,
                "endpoint": {
                    "uri": receiver.uri(),
                    "accept": "application/ld+json",
                    "receiverInfo": [{"key": "X-Own", "value": "yes"}],
                },
            },
        ) | {"@context": [context, CORE]}
        headers = {"Content-Type": "application/ld+json", "NGSILD-Tenant": "north"}
        answer = await client.post("csourceSubscriptions", json=document, headers=headers)
        assert answer.status_code == 201, answer.text
        answer = await client.post(
            "csourceRegistrations", json=registration(), headers={"NGSILD-Tenant": "north"}
        )
        assert answer.status_code == 201
        got = (await receiver.wait(1))[0]
        assert got.headers["content-type"] == "application/ld+json"
        assert got.headers["ngsild-tenant"] == "north"
        assert got.headers["x-own"] == "yes"
        assert "link" not in got.headers
        assert got.body["@context"] == [context, CORE]
        (data,) = got.body["data"]
        assert data["@context"] == [context, CORE]
        assert data["information"][0]["entities"] == [{"type": "Car"}]
        assert "createdAt" in data

    told(serve, test)


@pytest.mark.parametrize(
    ("members", "source", "matches"),
    [
        ({"watchedAttributes": ["other"]}, {}, True),
        (
            {
                "watchedAttributes": ["other"],
                "notification": {"attributes": ["another"]},
            },
            {},
            False,
        ),
        ({"watchedAttributes": ["other"], "notification": {"attributes": ["speed"]}}, {}, True),
        ({"entities": None, "watchedAttributes": ["other"]}, {"information": [VEHICLES]}, False),
        ({"entities": None, "watchedAttributes": ["speed"]}, {"information": [VEHICLES]}, True),
        ({"csf": 'owner=="town"'}, {"owner": "town"}, True),
        ({"csf": 'owner=="town"'}, {"owner": "county"}, False),
        ({"scopeQ": "/a/#"}, {"scope": "/a/b"}, True),
        ({"scopeQ": "/a/#"}, {}, False),
        (
            {"geoQ": {"georel": "near;maxDistance==2000", "geometry": "Point",
                      "coordinates": [8.5, 40.5]}},
            {"location": SQUARE},
            True,
        ),
        (
            {"geoQ": {"georel": "near;maxDistance==2000", "geometry": "Point",
                      "coordinates": [10.5, 40.5]}},
            {"location": SQUARE},
            False,
        ),
        ({}, {"observationInterval": {"startAt": "2020-01-01T00:00:00Z"}}, False),
        (
            {"temporalQ": {"timerel": "after", "timeAt": "2021-01-01T00:00:00Z"}},
            {"observationInterval": {"startAt": "2020-01-01T00:00:00Z"}},
            True,
        ),
        ({"temporalQ": {"timerel": "after", "timeAt": "2021-01-01T00:00:00Z"}}, {}, False),
        ({"datasetId": ["urn:d:1"]}, {"datasetId": ["urn:d:2"]}, False),
        ({"entities": [{"type": "Vehicle", "id": "urn:v:1"}]}, {}, True),
        ({"entities": [{"type": "Bus"}]}, {}, False),
        ({"entities": [{"type": "Bus"}, {"type": "*", "idPattern": "x"}]}, {}, True),
    ],
)  # fmt: skip
def test_what_a_subscription_is_about(
    serve: Serve, members: dict[str, Any], source: dict[str, Any], *, matches: bool
) -> None:
    async def test(client: httpx.AsyncClient, engine: Engine, receiver: Receiver) -> None:
        parameters = {"endpoint": {"uri": receiver.uri()}} | members.get("notification", {})
        await post(
            client, "csourceSubscriptions", subscription(**members | {"notification": parameters})
        )
        await post(client, "csourceRegistrations", registration(**source))
        witness = subscription(receiver.uri("/witness"), id="urn:s:2", entities=[{"type": "Z"}])
        await post(client, "csourceSubscriptions", witness)
        await post(
            client,
            "csourceRegistrations",
            registration(id="urn:r:z", information=[{"entities": [{"type": "Z"}]}]),
        )
        while not any(one.path == "/witness" for one in receiver.received):
            await receiver.wait(len(receiver.received) + 1)
        if matches:
            await receiver.wait(2)
        seen = [one.body["data"][0]["id"] for one in receiver.received if one.path == "/notify"]
        assert seen.count(REG) == matches

    told(serve, test)


def test_a_periodic_subscription_is_told_of_all_again_and_again(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, engine: Engine, receiver: Receiver) -> None:
        await post(client, "csourceSubscriptions", subscription(receiver.uri(), timeInterval=0.15))
        first = (await receiver.wait(1))[0].body
        assert first["data"] == []
        await post(client, "csourceRegistrations", registration())
        while not receiver.received[-1].body["data"]:
            await receiver.wait(len(receiver.received) + 1)
        assert receiver.received[-1].body["data"] == [registration(information=[VEHICLES])]
        await receiver.wait(len(receiver.received) + 1)

    told(serve, test)


def test_throttling_holds_changes_back_and_tells_of_them_together(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, engine: Engine, receiver: Receiver) -> None:
        await post(client, "csourceSubscriptions", subscription(receiver.uri(), throttling=0.3))
        await post(client, "csourceRegistrations", registration())
        await receiver.wait(1)
        await patch(client, f"csourceRegistrations/{REG}", {"description": "a"})
        await patch(client, f"csourceRegistrations/{REG}", {"description": "b"})
        await post(client, "csourceRegistrations", registration(id="urn:r:2"))
        await post(client, "csourceRegistrations", registration(id="urn:r:3"))
        assert (await client.delete("csourceRegistrations/urn:r:3")).status_code == 204
        later = [one.body for one in (await receiver.wait(3))[1:]]
        assert {one["triggerReason"]: [d["id"] for d in one["data"]] for one in later} == {
            "updated": [REG],
            "newlyMatching": ["urn:r:2"],
        }
        updated = next(one for one in later if one["triggerReason"] == "updated")
        assert updated["data"][0]["description"] == "b"

    told(serve, test)


def test_a_registration_that_ends_by_itself_is_told_of(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, engine: Engine, receiver: Receiver) -> None:
        await post(client, "csourceSubscriptions", subscription(receiver.uri()))
        soon = to_iso(engine.clock.now() + 200_000)
        await post(client, "csourceRegistrations", registration(expiresAt=soon))
        got = [one.body for one in await receiver.wait(2)]
        assert [one["triggerReason"] for one in got] == ["newlyMatching", "noLongerMatching"]
        assert got[1]["data"][0]["id"] == REG

    told(serve, test)


def test_what_was_not_delivered_is_after_a_restart(serve: Serve) -> None:
    ports: list[int] = []

    async def before(client: httpx.AsyncClient, engine: Engine) -> None:
        async with Receiver(lambda _: 503) as receiver:
            ports.append(receiver.port)
            await post(client, "csourceSubscriptions", subscription(receiver.uri()))
            await post(client, "csourceRegistrations", registration())
            refused = (await receiver.wait(1))[0]
            ports.append(refused.body["id"])
            shown = (await client.get(f"csourceSubscriptions/{SUB}")).json()
            assert shown["notification"]["status"] == "failed"

    async def after(client: httpx.AsyncClient, engine: Engine) -> None:
        async with Receiver() as receiver:
            await patch(
                client,
                f"csourceSubscriptions/{SUB}",
                {"notification": {"endpoint": {"uri": receiver.uri()}}},
            )
            got = [one.body for one in await receiver.wait(2)]
            assert ports[1] in [one["id"] for one in got]
            (health,) = engine.tenant("default").source_subscriptions.health()
            assert (health.id, health.endpoint) == (SUB, receiver.uri())

    serve(before, network__allow_private=True)
    serve(after, network__allow_private=True)


def test_nothing_is_missed_between_subscription_and_registration(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, engine: Engine, receiver: Receiver) -> None:
        await asyncio.gather(
            *(
                post(client, "csourceRegistrations", registration(id=f"urn:r:{number}"))
                for number in range(10)
            ),
            post(client, "csourceSubscriptions", subscription(receiver.uri())),
            *(
                post(client, "csourceRegistrations", registration(id=f"urn:r:{number}"))
                for number in range(10, 20)
            ),
        )

        def seen() -> list[str]:
            return [item["id"] for one in receiver.received for item in one.body["data"]]

        while len(seen()) < 20:
            await receiver.wait(len(receiver.received) + 1)
        assert sorted(seen()) == sorted(f"urn:r:{number}" for number in range(20))

    told(serve, test)


def test_a_subscription_makes_its_tenant_unless_it_is_refused(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, engine: Engine) -> None:
        north = {"NGSILD-Tenant": "north"}
        bad = subscription(temporalQ={"timerel": "x"})
        answer = await client.post("csourceSubscriptions", json=bad, headers=north)
        problem(answer, 400, "BadRequestData")
        assert "north" not in engine.tenants
        answer = await client.post("csourceSubscriptions", json=subscription(), headers=north)
        assert answer.status_code == 201
        assert answer.headers["ngsild-tenant"] == "north"
        assert "north" in engine.tenants

    serve(test)
