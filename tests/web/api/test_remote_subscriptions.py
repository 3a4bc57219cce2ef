"""Subscriptions that reach registered sources (CIM 009 §5.8.1.4, §5.8.2.4, §5.8.5.4, §5.8.6)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx

from .federation import Broker, Odd, broker, odd, room, run, says
from .receiver import Receiver

SUB = "urn:ngsi-ld:Subscription:rooms"
CONTEXT = {"warmth": "https://uri.etsi.org/ngsi-ld/default-context/temperature"}
CORE = "https://uri.etsi.org/ngsi-ld/v1/ngsi-ld-core-context-v1.9.jsonld"


def subscription(uri: str, notification: dict[str, Any] | None = None, **more: Any) -> Any:
    """A subscription to rooms."""
    return {
        "id": SUB,
        "type": "Subscription",
        "entities": [{"type": "Room"}],
        "notification": {"endpoint": {"uri": uri}} | (notification or {}),
    } | more


async def subscribe(here: Broker, document: dict[str, Any], **headers: str) -> None:
    """Make it."""
    made = await here.client.post("subscriptions", json=document, headers=headers)
    assert made.status_code == 201, made.text


async def until(done: Callable[[], Awaitable[Any]]) -> Any:
    """What comes of it, once something does."""
    for _ in range(1500):
        found = await done()
        if found:
            return found
        await asyncio.sleep(0.01)
    raise AssertionError("it did not come to that")


async def at(there: Broker, count: int = 1) -> list[dict[str, Any]]:
    """The subscriptions that a broker has, once there are so many."""

    async def listed() -> list[dict[str, Any]] | None:
        found: list[dict[str, Any]] = (await there.get("subscriptions")).json()
        return found if len(found) == count else None

    found: list[dict[str, Any]] = await until(listed) if count else []
    return found


async def asked(source: Odd, method: str, count: int = 1) -> list[Any]:
    """The bodies of requests to subscriptions at a made-up source, once there are so many."""

    async def there() -> list[Any] | None:
        found = [one for one in source.asked if one[0] == method and "subscriptions" in one[1]]
        return found if len(found) >= count else None

    found: list[Any] = await until(there)
    return found


def told(tmp_path: Path, test: Callable[..., Awaitable[None]]) -> None:
    """Run a test with two brokers and a receiver."""

    async def body(here: Broker, there: Broker) -> None:
        async with Receiver() as receiver:
            await test(here, there, receiver)

    run(tmp_path, body)


def test_what_changes_at_a_source_is_told_under_the_id_that_was_subscribed(tmp_path: Path) -> None:
    async def test(here: Broker, there: Broker, receiver: Receiver) -> None:
        await here.register(there.url)
        await subscribe(here, subscription(receiver.uri()))
        (copy,) = await at(there)
        assert copy["id"] != SUB
        assert copy["notification"]["endpoint"]["uri"].startswith(f"{here.url}/notified/default/")
        assert "temperature" not in copy
        await there.create(room(1, temperature=20))
        first = (await receiver.wait(1))[0]
        assert first.body["subscriptionId"] == SUB
        assert first.body["type"] == "Notification"
        assert first.body["data"] == [room(1, temperature=20)]
        assert CORE in first.headers["link"]
        await here.create(room(2, temperature=1))
        assert (await receiver.wait(2))[1].body["data"] == [room(2, temperature=1)]

    told(tmp_path, test)


def test_a_source_that_is_registered_later_is_subscribed_to_as_well(tmp_path: Path) -> None:
    async def test(here: Broker, there: Broker, receiver: Receiver) -> None:
        await subscribe(here, subscription(receiver.uri()))
        one = await here.register(there.url)
        await at(there)
        await here.register(there.url, information=[{"entities": [{"type": "Bus"}]}])
        assert (await here.client.delete(f"csourceRegistrations/{one}")).status_code == 204

        async def none() -> bool:
            return not (await there.get("subscriptions")).json()

        await until(none)

    told(tmp_path, test)


def test_updates_and_deletion_follow_to_the_source(tmp_path: Path) -> None:
    async def test(here: Broker, there: Broker, receiver: Receiver) -> None:
        await here.register(there.url)
        await subscribe(
            here, subscription(receiver.uri(), q="temperature>10", watchedAttributes=["a"])
        )
        (copy,) = await at(there)
        assert (copy["q"], copy["watchedAttributes"]) == ("temperature>10", ["a"])
        fragment = {"q": "temperature>30", "watchedAttributes": "urn:ngsi-ld:null"}
        assert (await here.client.patch(f"subscriptions/{SUB}", json=fragment)).status_code == 204

        async def changed() -> bool:
            (one,) = (await there.get("subscriptions")).json()
            return bool(one["q"] == "temperature>30") and "watchedAttributes" not in one

        await until(changed)
        assert (await here.client.delete(f"subscriptions/{SUB}")).status_code == 204

        async def none() -> bool:
            return not (await there.get("subscriptions")).json()

        await until(none)

    told(tmp_path, test)


def test_the_copy_is_reduced_to_what_is_registered(tmp_path: Path) -> None:
    async def test(here: Broker) -> None:
        async with odd(says(None, 201)) as source:
            await here.register(
                source.url,
                information=[
                    {
                        "entities": [
                            {"type": "Room", "idPattern": "^urn:ngsi-ld:Room"},
                            {"type": "Bus", "id": "urn:ngsi-ld:Bus:1"},
                            {"type": "Tram"},
                        ],
                        "propertyNames": ["temperature", "speed"],
                    }
                ],
                datasetId=["@none", "urn:d:1"],
                management={"localOnly": True},
                tenant="city",
                owner="county",
            )
            document = subscription(
                "http://203.0.113.1/n",
                {
                    "format": "concise",
                    "attributes": ["temperature"],
                    "sysAttrs": True,
                },
                entities=[
                    {"type": "Room,Bus", "id": ["urn:ngsi-ld:Room:1", "urn:ngsi-ld:Bus:2"]},
                    {"type": "Bus"},
                ],
                watchedAttributes=["temperature", "humidity"],
                datasetId=["urn:d:1", "urn:d:2"],
                csf='owner=="county"',
                subscriptionName="Mine",
                throttling=5,
                expiresAt="2999-01-01T00:00:00Z",
            )
            await subscribe(here, document)
            (_, path, headers, copy) = (await asked(source, "POST"))[0]
            assert path == "/ngsi-ld/v1/subscriptions"
            assert headers["ngsild-tenant"] == "city"
            assert here.engine.tenant("default").alias in headers["via"]
            assert copy["entities"] == [
                {"type": "Room,Bus", "id": "urn:ngsi-ld:Room:1"},
                {"type": "Bus", "id": "urn:ngsi-ld:Bus:1"},
            ]
            assert copy["watchedAttributes"] == ["temperature"]
            assert copy["datasetId"] == ["urn:d:1"]
            assert copy["localOnly"] is True
            assert (copy["throttling"], copy["expiresAt"]) == (5, "2999-01-01T00:00:00Z")
            for name in ("csf", "subscriptionName", "jsonldContext", "status"):
                assert name not in copy
            endpoint = copy["notification"].pop("endpoint")
            assert copy["notification"] == {
                "format": "concise",
                "attributes": ["temperature"],
                "sysAttrs": True,
            }
            assert list(endpoint) == ["uri"]

    run(tmp_path, test, brokers=1)


def test_whom_a_subscription_does_not_reach(tmp_path: Path) -> None:
    async def test(here: Broker) -> None:
        async with odd(says(None, 201)) as source, odd(says(None, 201)) as witness:
            info = [{"entities": [{"type": "Room"}], "propertyNames": ["temperature"]}]
            for members in (
                {"mode": "auxiliary", "operations": ["retrieveOps"]},
                {"operations": ["retrieveOps"]},
                {"information": [{"entities": [{"type": "Bus"}]}]},
                {"observationInterval": {"startAt": "2020-01-01T00:00:00Z"}},
                {"information": info},
                {"contextSourceAlias": "seen.before"},
            ):
                await here.register(source.url, **members)
            document = subscription("http://203.0.113.1/n", watchedAttributes=["humidity"])
            await subscribe(here, document, Via="1.1 seen.before, 1.1 other")
            local = document | {"id": "urn:s:2", "localOnly": True}
            await subscribe(here, local)
            await here.register(witness.url, information=[{"propertyNames": ["humidity"]}])
            await asked(witness, "POST")
            assert source.asked == []

    run(tmp_path, test, brokers=1)


def test_a_loop_ends_where_it_began(tmp_path: Path) -> None:
    async def test(here: Broker, there: Broker, receiver: Receiver) -> None:
        await here.register(there.url)
        await there.register(here.url)
        await subscribe(here, subscription(receiver.uri()))
        await at(there)
        await asyncio.sleep(0.1)
        assert len((await here.get("subscriptions")).json()) == 1
        await there.create(room(1, temperature=20))
        await receiver.wait(1)
        await asyncio.sleep(0.1)
        assert len(receiver.received) == 1
        refused = await here.client.post(
            "subscriptions",
            json=subscription("http://203.0.113.1/n", id="urn:s:2"),
            headers={"Via": f"1.1 {here.engine.tenant('default').alias}"},
        )
        assert refused.status_code == 508

    told(tmp_path, test)


def test_names_come_in_the_words_of_who_subscribed(tmp_path: Path) -> None:
    async def test(here: Broker, there: Broker, receiver: Receiver) -> None:
        await here.register(there.url)
        document = subscription(
            receiver.uri(),
            {"endpoint": {"uri": receiver.uri(), "accept": "application/ld+json"}},
            watchedAttributes=["warmth"],
        ) | {"@context": [CONTEXT, CORE]}
        made = await here.client.post(
            "subscriptions", json=document, headers={"Content-Type": "application/ld+json"}
        )
        assert made.status_code == 201, made.text
        (copy,) = await at(there)
        assert copy["watchedAttributes"] == ["temperature"]
        await there.create(room(1, temperature=20))
        body = (await receiver.wait(1))[0].body
        assert body["@context"] == [CONTEXT, CORE]
        (entity,) = body["data"]
        assert entity["warmth"] == {"type": "Property", "value": 20}

    told(tmp_path, test)


def test_geojson_and_simplified_forms_pass_through(tmp_path: Path) -> None:
    place = {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [1, 2]}}

    async def test(here: Broker, there: Broker, receiver: Receiver) -> None:
        await here.register(there.url)
        uri = receiver.uri()
        geo = {"uri": uri, "accept": "application/geo+json"}
        await subscribe(here, subscription(uri, {"format": "keyValues"}))
        await subscribe(here, subscription(uri, {"endpoint": geo}, id="urn:s:2"))
        await at(there, 2)
        await there.create(room(1, temperature=20, location=place))
        got = {one.headers["content-type"]: one.body for one in await receiver.wait(2)}
        (simple,) = got["application/json"]["data"]
        assert simple["temperature"] == 20
        collection = got["application/geo+json"]["data"]
        assert collection["type"] == "FeatureCollection"
        (feature,) = collection["features"]
        assert feature["geometry"] == place["value"]

    told(tmp_path, test)


def test_parts_of_one_entity_are_put_together_where_entities_are_split(tmp_path: Path) -> None:
    async def test(here: Broker, there: Broker, receiver: Receiver) -> None:
        await here.register(there.url)
        await here.create(room(1, humidity=50))
        await subscribe(
            here,
            subscription(
                receiver.uri(),
                {"attributes": ["temperature", "humidity"]},
                q="humidity>40;temperature>10",
                splitEntities=True,
            ),
        )
        (copy,) = await at(there)
        assert "q" not in copy
        assert "attributes" not in copy["notification"]
        await there.create(room(1, temperature=5), room(2, temperature=50))
        await there.client.patch("entities/urn:ngsi-ld:Room:1/attrs", json={"temperature": 20})
        (got,) = await receiver.wait(1)
        assert got.body["data"] == [room(1, humidity=50, temperature=20)]
        await there.client.delete("entities/urn:ngsi-ld:Room:1/attrs/temperature")
        await asyncio.sleep(0.1)
        assert len(receiver.received) == 1

    told(tmp_path, test)


def test_a_source_that_is_away_is_subscribed_to_when_it_is_back(tmp_path: Path) -> None:
    answers: list[tuple[int, dict[str, str], bytes]] = [(503, {}, b""), (201, {}, b"")]

    async def test(here: Broker) -> None:
        async with odd(lambda *_: answers.pop(0) if answers else (204, {}, b"")) as source:
            await here.register(source.url)
            await subscribe(here, subscription("http://203.0.113.1/n"))
            first, second = await asked(source, "POST", 2)
            assert first[3] == second[3]
            shown = (await here.get("csourceRegistrations", type="Room")).json()[0]
            assert shown["timesFailed"] == 1

    run(tmp_path, test, brokers=1)


def test_what_was_left_undone_is_done_after_a_restart(tmp_path: Path) -> None:
    async def body() -> None:
        async with odd(says({"title": "no"}, 503)) as source:
            async with broker(tmp_path / "b") as here:
                await here.register(source.url)
                await subscribe(here, subscription("http://203.0.113.1/n"))
                first = (await asked(source, "POST"))[0][3]
            async with broker(tmp_path / "b"):
                second = (await asked(source, "POST", 2))[-1][3]
            assert first["id"] == second["id"]

    asyncio.run(body())


def test_an_answer_that_was_lost_makes_no_second_subscription(tmp_path: Path) -> None:
    async def test(here: Broker) -> None:
        def respond(method: str, path: str, body: bytes) -> tuple[int, dict[str, str], bytes]:
            return (409 if method == "POST" else 204), {}, b"" if method != "POST" else b"{}"

        async with odd(respond) as source:
            await here.register(source.url)
            await subscribe(here, subscription("http://203.0.113.1/n"))
            (_, path, _, fragment) = (await asked(source, "PATCH"))[0]
            posted = (await asked(source, "POST"))[0][3]
            assert path.endswith(posted["id"])
            assert fragment == {k: v for k, v in posted.items() if k != "id"}

    run(tmp_path, test, brokers=1)


def test_notifications_that_nobody_asked_for_are_refused(tmp_path: Path) -> None:
    async def test(here: Broker) -> None:
        async with odd(says(None, 201)) as source, Receiver() as receiver:
            await here.register(source.url)
            await subscribe(here, subscription(receiver.uri()))
            uri = (await asked(source, "POST"))[0][3]["notification"]["endpoint"]["uri"]
            async with httpx.AsyncClient() as client:

                async def post(url: str, document: Any) -> int:
                    answer = await client.post(url, content=json.dumps(document))
                    return answer.status_code

                good = {"type": "Notification", "data": [room(1, a=1)]}
                assert await post(uri + "x", good) == 404
                assert await post(uri.replace("/default/", "/none/"), good) == 404
                wrong: list[Any] = [[], {}, good | {"data": 1}, good | {"data": [1]}, {"type": "x"}]
                for bad in wrong:
                    assert await post(uri, bad) == 400
                assert (await client.post(uri, content=b"{")).status_code == 400
                other = good | {"data": [{"id": "urn:b:1", "type": "Bus"}]}
                assert await post(uri, other) == 204
                assert await post(uri, good) == 204
                (got,) = await receiver.wait(1)
                assert got.body["data"] == good["data"]
                await here.client.patch(f"subscriptions/{SUB}", json={"isActive": False})
                assert await post(uri, good) == 204
            assert len(receiver.received) == 1

    run(tmp_path, test, brokers=1)
