"""What subscribers are told, and when (CIM 009 §5.8.6, §5.3.1, §6.3.8)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import httpx
import pytest
from tests.web.api.conftest import Serve
from tests.web.api.receiver import Receiver

from rynek.app import Engine
from rynek.base.clock import to_iso

CORE = "https://uri.etsi.org/ngsi-ld/v1/ngsi-ld-core-context-v1.9.jsonld"
VOCAB = "https://uri.etsi.org/ngsi-ld/default-context/"
NULL = "urn:ngsi-ld:null"
BUS = "urn:ngsi-ld:Bus:1"
Test = Callable[["City"], Coroutine[Any, Any, None]]


class City:
    """A client, an engine and a receiver, and what tests do with them."""

    def __init__(self, client: httpx.AsyncClient, engine: Engine, receiver: Receiver) -> None:
        self.client = client
        self.engine = engine
        self.receiver = receiver

    async def subscribe(self, notification: dict[str, Any] | None = None, **members: Any) -> str:
        """Subscribe (to buses, unless told otherwise); None takes a member away."""
        given = dict(notification or {})
        endpoint = {"uri": self.receiver.uri()} | given.pop("endpoint", {})
        document = {
            "type": "Subscription",
            "entities": [{"type": "Bus"}],
            "notification": {"endpoint": endpoint} | given,
        } | members
        document = {name: value for name, value in document.items() if value is not None}
        made = await self.client.post("subscriptions", json=document)
        assert made.status_code == 201, made.text
        return made.headers["location"].rpartition("/")[2]

    async def create(self, entity_id: str = BUS, kind: str = "Bus", **attrs: Any) -> None:
        """Create an entity."""
        body = {"id": entity_id, "type": kind} | attrs
        made = await self.client.post("entities", json=body)
        assert made.status_code == 201, made.text

    async def update(self, entity_id: str = BUS, **attrs: Any) -> None:
        """Append or replace attributes."""
        done = await self.client.post(f"entities/{entity_id}/attrs", json=attrs)
        assert done.status_code == 204, done.text

    async def drop(self, attr: str, query: str = "", entity_id: str = BUS) -> None:
        """Delete an attribute."""
        done = await self.client.delete(f"entities/{entity_id}/attrs/{attr}{query}")
        assert done.status_code == 204, done.text

    async def bodies(self, count: int) -> list[dict[str, Any]]:
        """The bodies of so many notifications, and that there are no more of them."""
        got = await self.receiver.wait(count)
        await self.quiet()
        assert len(self.receiver.received) == count
        return [one.body for one in got]

    async def entities(self, count: int = 1) -> list[dict[str, Any]]:
        """The only entity in each of so many notifications."""
        data = [body["data"] for body in await self.bodies(count)]
        assert all(len(one) == 1 for one in data)
        return [one[0] for one in data]

    async def quiet(self) -> None:
        """Give what should not come the time to come."""
        await asyncio.sleep(0.05)

    async def shown(self, subscription_id: str) -> dict[str, Any]:
        """The subscription as it is retrieved."""
        answer = await self.client.get(f"subscriptions/{subscription_id}")
        document: dict[str, Any] = answer.json()
        return document


@pytest.fixture
def city(serve: Serve) -> Callable[[Test], None]:
    """Runs a test in a city."""

    def run(test: Test, **settings: object) -> None:
        async def body(client: httpx.AsyncClient, engine: Engine) -> None:
            async with Receiver() as receiver:
                await test(City(client, engine, receiver))

        serve(body, network__allow_private=True, **settings)

    return run


def test_the_notification_itself(city: Callable[[Test], None]) -> None:
    async def test(c: City) -> None:
        one = await c.subscribe()
        await c.create(speed={"value": 5}, name="x")
        await c.receiver.wait(1)
        got = c.receiver.received[0]
        assert got.path == "/notify"
        assert got.headers["content-type"] == "application/json"
        assert got.headers["link"].startswith(f"<{CORE}>; rel=")
        assert "ngsild-tenant" not in got.headers
        body = got.body
        assert body["id"].startswith("urn:ngsi-ld:Notification:")
        assert body["notifiedAt"].endswith("Z")
        assert body | {"id": "", "notifiedAt": ""} == {
            "id": "",
            "type": "Notification",
            "subscriptionId": one,
            "notifiedAt": "",
            "data": [
                {
                    "id": BUS,
                    "type": "Bus",
                    "speed": {"type": "Property", "value": 5},
                    "name": {"type": "Property", "value": "x"},
                }
            ],
        }
        told = (await c.shown(one))["notification"]
        assert (told["timesSent"], told["status"]) == (1, "ok")
        assert told["lastNotification"] <= told["lastSuccess"]
        assert "timesFailed" not in told
        assert "lastFailure" not in told

    city(test)


TRIGGERS = (
    ("entityCreated", {"create"}),
    ("entityDeleted", {"delete"}),
    ("attributeCreated", {"create", "append"}),
    ("attributeUpdated", {"update"}),
    ("attributeDeleted", {"drop"}),
    ("entityUpdated", {"create", "append", "update", "drop"}),
    (None, {"create", "append", "update"}),
)


@pytest.mark.parametrize(("trigger", "expected"), TRIGGERS)
def test_triggers(city: Callable[[Test], None], trigger: str | None, expected: set[str]) -> None:
    async def test(c: City) -> None:
        await c.subscribe(notificationTrigger=None if trigger is None else [trigger])
        steps: list[tuple[str, Coroutine[Any, Any, Any]]] = [
            ("create", c.create(speed=5)),
            ("append", c.update(name="x")),
            ("update", c.update(speed=6)),
            ("drop", c.drop("name")),
            ("delete", c.client.delete(f"entities/{BUS}")),
        ]
        told = []
        for name, step in steps:
            before = len(c.receiver.received)
            await step
            await c.quiet()
            told += [name] * (len(c.receiver.received) - before)
        assert sorted(told) == sorted(expected)

    city(test)


def test_several_triggers_make_one_notification(city: Callable[[Test], None]) -> None:
    async def test(c: City) -> None:
        await c.subscribe(notificationTrigger=["entityCreated", "attributeCreated"])
        await c.create(speed=5)
        await c.bodies(1)

    city(test)


def test_nothing_is_told_of_what_did_not_change(city: Callable[[Test], None]) -> None:
    """A value different from the existing one (§5.8.6), of any member."""

    async def test(c: City) -> None:
        await c.create(speed={"value": 5, "unitCode": "KMH", "accuracy": {"value": 1}})
        await c.subscribe()
        await c.update(speed={"value": 5, "unitCode": "KMH", "accuracy": {"value": 1}})
        await c.quiet()
        assert c.receiver.received == []
        for number, change in enumerate(
            (
                {"value": 5, "unitCode": "MPH", "accuracy": {"value": 1}},
                {"value": 5, "unitCode": "MPH", "accuracy": {"value": 2}},
                {"value": 5, "unitCode": "MPH", "observedAt": "2026-01-01T00:00:00Z"},
                {"value": True, "unitCode": "MPH", "observedAt": "2026-01-01T00:00:00Z"},
                {"value": 1, "unitCode": "MPH", "observedAt": "2026-01-01T00:00:00Z"},
            ),
            start=1,
        ):
            await c.update(speed=change)
            await c.receiver.wait(number)
        await c.client.post(f"entities/{BUS}/attrs", json={"scope": "/a"})
        await c.bodies(5)

    city(test)


def test_which_entities(city: Callable[[Test], None]) -> None:
    async def test(c: City) -> None:
        await c.subscribe(
            entities=[
                {"type": "Bus", "id": [BUS, "urn:b:2"], "idPattern": "never"},
                {"type": "Tram;Old", "idPattern": "^urn:t:[12]"},
            ]
        )
        await c.create("urn:b:2", a=1)
        await c.create("urn:b:3", a=1)
        await c.create("urn:t:1", "Tram", a=1)
        for entity_id, types in (("urn:t:2", ["Tram", "Old"]), ("urn:t:3", ["Tram", "Old"])):
            await c.client.post("entities", json={"id": entity_id, "type": types, "a": 1})
        assert [one["id"] for one in await c.entities(2)] == ["urn:b:2", "urn:t:2"]

    city(test)


def test_watched_attributes_alone_and_every_entity(city: Callable[[Test], None]) -> None:
    async def test(c: City) -> None:
        await c.subscribe(entities=None, watchedAttributes=["speed"])
        await c.subscribe(
            {"endpoint": {"uri": c.receiver.uri("/all")}}, entities=None, localOnly=True
        )
        await c.create("urn:x:1", "X", height=1)
        await c.create("urn:y:1", "Y", speed=1)
        await c.update("urn:y:1", height=1)
        await c.receiver.wait(4)
        await c.quiet()
        told = [(one.path, one.body["data"][0]["id"]) for one in c.receiver.received]
        assert sorted(told) == [
            ("/all", "urn:x:1"), ("/all", "urn:y:1"), ("/all", "urn:y:1"), ("/notify", "urn:y:1"),
        ]  # fmt: skip

    city(test)


def test_a_watched_attribute_that_is_not_touched(city: Callable[[Test], None]) -> None:
    async def test(c: City) -> None:
        await c.create(speed=1, name="x")
        await c.subscribe(watchedAttributes=["speed", "height"])
        await c.update(name="y")
        await c.update(speed=2)
        assert (await c.entities(1))[0]["name"]["value"] == "y"

    city(test)


def test_conditions(city: Callable[[Test], None]) -> None:
    near = {"georel": "near;maxDistance==1000", "geometry": "Point", "coordinates": [17.0, 52.0]}

    async def test(c: City) -> None:
        await c.subscribe(q='speed>50;name~="^b"', geoQ=near, scopeQ="/city/#")
        point = {"type": "Point", "coordinates": [17.001, 52.001]}
        good: dict[str, Any] = {
            "speed": 60,
            "name": "bus",
            "location": point,
            "scope": "/city/north",
        }
        await c.create("urn:b:1", **good)
        await c.create("urn:b:2", **good | {"speed": 50})
        await c.create("urn:b:3", **good | {"name": "tram"})
        await c.create("urn:b:4", **good | {"location": {"type": "Point", "coordinates": [18, 52]}})
        await c.create("urn:b:5", **good | {"scope": "/land"})
        await c.update("urn:b:2", speed=51)
        assert [one["id"] for one in await c.entities(2)] == ["urn:b:1", "urn:b:2"]

    city(test)


def test_any_instance_of_the_geoproperty_will_do(city: Callable[[Test], None]) -> None:
    near = {"georel": "near;maxDistance==1000", "geometry": "Point", "coordinates": [17.0, 52.0]}

    async def test(c: City) -> None:
        await c.subscribe(geoQ=near)
        places = [
            {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [18, 52]}},
            {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [17, 52]},
             "datasetId": "urn:d:1"},
        ]  # fmt: skip
        await c.create(location=places)
        await c.entities(1)

    city(test)


def test_conditions_on_linked_entities(city: Callable[[Test], None]) -> None:
    async def test(c: City) -> None:
        await c.create("urn:line:1", "Line", colour="red")
        await c.create("urn:line:2", "Line", colour="blue")
        await c.subscribe({"join": "inline"}, q='line{colour}=="red"')
        for number in (1, 2):
            line = {"type": "Relationship", "object": f"urn:line:{number}"}
            await c.create(f"urn:b:{number}", line=line)
        (entity,) = await c.entities(1)
        assert entity["line"]["entity"]["colour"]["value"] == "red"

    city(test)


def test_all_changes_of_one_request_make_one_notification(city: Callable[[Test], None]) -> None:
    async def test(c: City) -> None:
        await c.subscribe({"format": "keyValues"})
        batch = [{"id": f"urn:b:{n}", "type": "Bus", "speed": n} for n in range(3)]
        batch += [{"id": "urn:b:1", "type": "Bus", "speed": 9}]
        batch += [{"id": "urn:t:1", "type": "Tram", "speed": 9}]
        await c.client.post("entityOperations/upsert", json=batch)
        (body,) = await c.bodies(1)
        assert sorted((one["id"], one["speed"]) for one in body["data"]) == [
            ("urn:b:0", 0), ("urn:b:1", 9), ("urn:b:2", 2),
        ]  # fmt: skip

    city(test)


def test_a_paused_or_expired_or_deleted_subscription_is_quiet(city: Callable[[Test], None]) -> None:
    async def test(c: City) -> None:
        one = await c.subscribe(isActive=False)
        await c.create(speed=1)
        await c.client.patch(f"subscriptions/{one}", json={"isActive": True})
        await c.update(speed=2)
        await c.bodies(1)
        for ahead in (60_000, 600_000, 6_000_000):
            soon = c.engine.clock.now() + ahead
            done = await c.client.patch(f"subscriptions/{one}", json={"expiresAt": to_iso(soon)})
            if done.status_code == 204:
                break
            assert done.status_code == 400, "it came too late"
        assert done.status_code == 204
        while c.engine.clock.now() <= soon:  # noqa: ASYNC110 - a moment passes
            await asyncio.sleep(0.02)
        await c.update(speed=3)
        await c.bodies(1)
        assert (await c.shown(one))["status"] == "expired"
        later = to_iso(c.engine.clock.now() + 60_000_000)
        await c.client.patch(f"subscriptions/{one}", json={"expiresAt": later})
        await c.update(speed=4)
        await c.bodies(2)
        await c.client.delete(f"subscriptions/{one}")
        await c.update(speed=5)
        await c.bodies(2)

    city(test)


def test_an_update_counts_from_then_on(city: Callable[[Test], None]) -> None:
    async def test(c: City) -> None:
        one = await c.subscribe(watchedAttributes=["speed"])
        await c.create(speed=1, name="a")
        await c.receiver.wait(1)
        changed = {
            "watchedAttributes": ["name"],
            "notification": {"endpoint": {"uri": c.receiver.uri("/new")}, "format": "simplified"},
        }
        await c.client.patch(f"subscriptions/{one}", json=changed)
        await c.update(speed=2)
        await c.update(name="b")
        await c.bodies(2)
        last = c.receiver.received[1]
        assert last.path == "/new"
        assert last.body["data"] == [{"id": BUS, "type": "Bus", "speed": 2, "name": "b"}]

    city(test)


def test_forms(city: Callable[[Test], None]) -> None:
    async def test(c: City) -> None:
        await c.subscribe({"format": "concise", "endpoint": {"uri": c.receiver.uri("/concise")}})
        await c.subscribe({"format": "simplified", "endpoint": {"uri": c.receiver.uri("/simple")}})
        await c.subscribe({"sysAttrs": True, "endpoint": {"uri": c.receiver.uri("/sys")}})
        await c.create(speed={"value": 5, "unitCode": "KMH"}, name="x")
        await c.receiver.wait(3)
        data = {one.path: one.body["data"][0] for one in c.receiver.received}
        assert data["/concise"]["speed"] == {"value": 5, "unitCode": "KMH"}
        assert data["/concise"]["name"] == "x"
        assert data["/simple"] == {"id": BUS, "type": "Bus", "speed": 5, "name": "x"}
        assert data["/sys"]["createdAt"] == data["/sys"]["speed"]["modifiedAt"]

    city(test)


def test_what_is_shown(city: Callable[[Test], None]) -> None:
    async def test(c: City) -> None:
        simple: dict[str, Any] = {"format": "keyValues"}
        for path, more in {
            "/attributes": {"attributes": ["speed", "none"]},
            "/pick": {"pick": ["id", "speed"]},
            "/omit": {"omit": ["type", "scope", "speed"]},
        }.items():
            await c.subscribe(simple | more | {"endpoint": {"uri": c.receiver.uri(path)}})
        await c.create(speed=5, name="x", scope="/a")
        await c.receiver.wait(3)
        data = {one.path: one.body["data"][0] for one in c.receiver.received}
        assert data["/attributes"] == {"id": BUS, "type": "Bus", "scope": "/a", "speed": 5}
        assert data["/pick"] == {"id": BUS, "speed": 5}
        assert data["/omit"] == {"id": BUS, "name": "x"}

    city(test)


def test_language_and_dataset_ids(city: Callable[[Test], None]) -> None:
    async def test(c: City) -> None:
        await c.subscribe({"format": "concise"}, lang="pl", datasetId=["urn:d:1", "@none"])
        await c.create(
            label={"type": "LanguageProperty", "languageMap": {"en": "Bus", "pl": "Autobus"}},
            speed=[{"value": 1}, {"value": 2, "datasetId": "urn:d:1"},
                   {"value": 3, "datasetId": "urn:d:2"}],
            height={"value": 3, "datasetId": "urn:d:2"},
        )  # fmt: skip
        (entity,) = await c.entities()
        assert entity["label"] == {"value": "Autobus", "lang": "pl"}
        assert entity["speed"] == [{"value": 1}, {"value": 2, "datasetId": "urn:d:1"}]
        assert "height" not in entity

    city(test)


KINDS: dict[str, tuple[dict[str, Any], dict[str, Any], str, Any, Any]] = {
    "Property": ({"value": 1}, {"value": 2}, "previousValue", 1, {"value": NULL}),
    "GeoProperty": (
        {"value": {"type": "Point", "coordinates": [1, 2]}},
        {"value": {"type": "Point", "coordinates": [3, 4]}},
        "previousValue",
        {"type": "Point", "coordinates": [1, 2]},
        {"value": NULL},
    ),
    "Relationship": (
        {"object": "urn:a"}, {"object": "urn:b"}, "previousObject", "urn:a", {"object": NULL},
    ),
    "LanguageProperty": (
        {"languageMap": {"en": "a"}},
        {"languageMap": {"en": "b"}},
        "previousLanguageMap",
        {"en": "a"},
        {"languageMap": {"@none": NULL}},
    ),
    "JsonProperty": (
        {"json": {"a": 1}}, {"json": {"a": 2}}, "previousJson", {"a": 1}, {"json": NULL},
    ),
    "VocabProperty": (
        {"vocab": "old"}, {"vocab": "new"}, "previousVocab", "old", {"vocab": NULL},
    ),
    "ListProperty": (
        {"valueList": [1, 2]},
        {"valueList": [2, 1]},
        "previousValueList",
        [1, 2],
        {"valueList": [NULL]},
    ),
    "ListRelationship": (
        {"objectList": [{"object": "urn:a"}]},
        {"objectList": [{"object": "urn:b"}]},
        "previousObjectList",
        [{"object": "urn:a"}],
        {"objectList": [NULL]},
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("form", ["normalized", "concise"])
def test_what_it_was_before(city: Callable[[Test], None], kind: str, form: str) -> None:
    old, new, member, previous, null = KINDS[kind]

    async def test(c: City) -> None:
        await c.subscribe(
            {"showChanges": True, "format": form},
            notificationTrigger=["entityUpdated"],
        )
        await c.create(thing={"type": kind} | old, other=1)
        await c.update(thing={"type": kind} | new)
        await c.drop("thing")
        created, updated, deleted = await c.entities(3)
        typed = {"type": kind} if form == "normalized" else {}
        whole = created["thing"]
        was, now, before = old, new, previous
        if form == "concise" and kind == "ListRelationship":
            was, now, before = {"objectList": ["urn:a"]}, {"objectList": ["urn:b"]}, ["urn:a"]
        if not (form == "concise" and kind in ("Property", "GeoProperty")):
            assert whole.items() >= (typed | was).items()
        assert updated["thing"].items() >= (typed | now | {member: before}).items()
        last = now[next(iter(now))]
        assert deleted["thing"] == typed | null | {member: last}
        assert "previousValue" not in str(updated["other"])

    city(test)


def test_changes_of_instances_with_dataset_ids(city: Callable[[Test], None]) -> None:
    async def test(c: City) -> None:
        await c.subscribe({"showChanges": True}, notificationTrigger=["entityUpdated"])
        await c.create(speed=[{"value": 1}, {"value": 2, "datasetId": "urn:d:1"}])
        await c.update(speed={"value": 3, "datasetId": "urn:d:1"})
        await c.drop("speed", "?datasetId=urn:d:1")
        _, updated, deleted = await c.entities(3)
        assert updated["speed"] == [
            {"type": "Property", "value": 1},
            {"type": "Property", "value": 3, "datasetId": "urn:d:1", "previousValue": 2},
        ]
        assert deleted["speed"] == [
            {"type": "Property", "value": 1},
            {"type": "Property", "value": NULL, "datasetId": "urn:d:1", "previousValue": 3},
        ]

    city(test)


@pytest.mark.parametrize("form", ["normalized", "concise", "keyValues"])
def test_a_deleted_attribute(city: Callable[[Test], None], form: str) -> None:
    async def test(c: City) -> None:
        await c.create(speed=1, name="x", height=[{"value": 1}, {"value": 2, "datasetId": "urn:d"}])
        await c.subscribe({"format": form}, notificationTrigger=["attributeDeleted"])
        await c.drop("speed")
        await c.drop("height", "?datasetId=urn:d")
        first, second = await c.entities(2)
        assert first["speed"] == NULL
        height: Any = {
            "normalized": [
                {"type": "Property", "value": 1},
                {"type": "Property", "value": NULL, "datasetId": "urn:d"},
            ],
            "concise": [{"value": 1}, {"value": NULL, "datasetId": "urn:d"}],
            "keyValues": {"dataset": {"@none": 1, "urn:d": NULL}},
        }
        assert second["height"] == height[form]
        assert "speed" not in second

    city(test)


@pytest.mark.parametrize("form", ["normalized", "concise"])
def test_an_attribute_with_all_its_instances(city: Callable[[Test], None], form: str) -> None:
    typed = {"type": "LanguageProperty"} if form == "normalized" else {}
    null = typed | {"languageMap": {"@none": NULL}}

    async def test(c: City) -> None:
        words = {"languageMap": {"en": "x"}}
        await c.create(name=[words, words | {"datasetId": "urn:d"}])
        await c.subscribe({"format": form}, notificationTrigger=["attributeDeleted"])
        await c.drop("name", "?deleteAll=true")
        (entity,) = await c.entities()
        assert entity["name"] == [null, null | {"datasetId": "urn:d"}]

    city(test)


def test_a_deleted_attribute_with_the_times_of_the_system(city: Callable[[Test], None]) -> None:
    async def test(c: City) -> None:
        await c.create(speed=1)
        await c.subscribe({"sysAttrs": True}, notificationTrigger=["attributeDeleted"])
        await c.drop("speed")
        ((entity),) = await c.entities()
        gone = entity["speed"]
        assert set(gone) == {"type", "value", "createdAt", "modifiedAt", "deletedAt"}
        assert gone["createdAt"] == gone["modifiedAt"] < gone["deletedAt"]
        assert gone["deletedAt"] == entity["modifiedAt"]

    city(test)


def test_a_deleted_attribute_that_is_not_shown(city: Callable[[Test], None]) -> None:
    async def test(c: City) -> None:
        await c.create(speed=1, name="x")
        await c.subscribe({"attributes": ["name"]}, notificationTrigger=["attributeDeleted"])
        await c.drop("speed")
        (entity,) = await c.entities()
        assert set(entity) == {"id", "type", "name"}

    city(test)


def test_a_deleted_entity(city: Callable[[Test], None]) -> None:
    async def test(c: City) -> None:
        for path, more in {
            "/plain": {},
            "/sys": {"sysAttrs": True},
            "/changes": {"showChanges": True, "attributes": ["speed"]},
            "/simple": {"format": "keyValues"},
        }.items():
            await c.subscribe(
                more | {"endpoint": {"uri": c.receiver.uri(path)}},  # type: ignore[operator]
                notificationTrigger=["entityDeleted"],
                q="speed>3",
            )
        await c.create(speed=4, name="x", scope="/a")
        await c.client.delete(f"entities/{BUS}")
        await c.receiver.wait(4)
        data = {one.path: one.body["data"][0] for one in c.receiver.received}
        assert set(data["/plain"]) == set(data["/simple"]) == {"id", "type", "deletedAt"}
        assert set(data["/sys"]) == {"id", "type", "deletedAt", "createdAt", "modifiedAt"}
        assert set(data["/changes"]) == {"id", "type", "deletedAt", "speed"}
        assert data["/changes"]["speed"] == {
            "type": "Property", "value": NULL, "previousValue": 4,
        }  # fmt: skip

    city(test)


def test_json_ld_and_geojson(city: Callable[[Test], None]) -> None:
    plain = [{"key": "Prefer", "value": "body=json"}]

    async def test(c: City) -> None:
        for path, accept, info in (
            ("/ld", "application/ld+json", []),
            ("/geo", "application/geo+json", []),
            ("/geo-json", "application/geo+json", plain),
        ):
            await c.subscribe(
                {"endpoint": {"uri": c.receiver.uri(path), "accept": accept, "receiverInfo": info}},
                notificationTrigger=["entityCreated", "entityDeleted"],
            )
        point = {"type": "Point", "coordinates": [1, 2]}
        await c.create(speed=4, location=point)
        await c.receiver.wait(3)
        got = {one.path: one for one in c.receiver.received}
        assert got["/ld"].headers["content-type"] == "application/ld+json"
        assert "link" not in got["/ld"].headers
        assert got["/ld"].body["@context"] == got["/ld"].body["data"][0]["@context"] == CORE
        geo = got["/geo"]
        assert geo.headers["content-type"] == "application/geo+json"
        assert "link" not in geo.headers
        collection = geo.body["data"]
        assert (collection["type"], collection["@context"]) == ("FeatureCollection", CORE)
        feature = collection["features"][0]
        assert (feature["id"], feature["type"], feature["geometry"]) == (BUS, "Feature", point)
        assert feature["properties"]["speed"] == {"type": "Property", "value": 4}
        assert feature["properties"]["type"] == "Bus"
        json = got["/geo-json"]
        assert json.headers["prefer"] == "body=json"
        assert CORE in json.headers["link"]
        assert "@context" not in json.body["data"]
        c.receiver.received.clear()
        await c.client.delete(f"entities/{BUS}")
        await c.receiver.wait(3)
        gone = {one.path: one for one in c.receiver.received}["/geo"].body["data"]["features"][0]
        assert gone["geometry"] is None
        assert set(gone["properties"]) == {"type", "deletedAt"}

    city(test)


def test_linked_entities_come_along(city: Callable[[Test], None]) -> None:
    async def test(c: City) -> None:
        await c.create("urn:line:1", "Line", colour="red")
        for join in ("inline", "flat"):
            await c.subscribe(
                {
                    "join": join,
                    "format": "keyValues",
                    "endpoint": {"uri": c.receiver.uri(f"/{join}")},
                }
            )
        await c.create(line={"type": "Relationship", "object": "urn:line:1"})
        await c.receiver.wait(2)
        data = {one.path: one.body["data"] for one in c.receiver.received}
        line = {"id": "urn:line:1", "type": "Line", "colour": "red"}
        assert data["/inline"] == [{"id": BUS, "type": "Bus", "line": line}]
        assert data["/flat"] == [{"id": BUS, "type": "Bus", "line": "urn:line:1"}, line]

    city(test)


def test_an_older_version_of_the_standard(city: Callable[[Test], None]) -> None:
    async def test(c: City) -> None:
        await c.subscribe(ngsildConformance="1.3")
        await c.create(
            label={"type": "LanguageProperty", "languageMap": {"en": "Bus"}},
            route={"type": "ListRelationship", "objectList": ["urn:a", "urn:b"]},
            owner={"type": "Relationship", "object": "urn:a", "objectType": "City"},
            speed={"value": 1, "unitCode": "KMH", "valueType": "Integer"},
            scope="/a",
        )
        (entity,) = await c.entities()
        assert entity == {
            "id": BUS,
            "type": "Bus",
            "label": {"type": "Property", "value": {"en": "Bus"}},
            "route": {"type": "Relationship", "object": ["urn:a", "urn:b"]},
            "owner": {"type": "Relationship", "object": "urn:a"},
            "speed": {"type": "Property", "value": 1, "unitCode": "KMH"},
        }

    city(test)


def test_the_context_of_the_subscription_names_things(city: Callable[[Test], None]) -> None:
    context = {"tempo": f"{VOCAB}speed"}

    async def test(c: City) -> None:
        body = {
            "type": "Subscription",
            "entities": [{"type": "Bus"}],
            "q": "tempo>3",
            "notification": {
                "endpoint": {"uri": c.receiver.uri()}, "attributes": ["tempo"], "format": "concise",
            },
            "@context": context,
        }  # fmt: skip
        ld = {"Content-Type": "application/ld+json"}
        assert (await c.client.post("subscriptions", json=body, headers=ld)).status_code == 201
        await c.create(speed=4)
        await c.receiver.wait(1)
        got = c.receiver.received[0]
        assert got.body["data"][0] == {"id": BUS, "type": "Bus", "tempo": 4}
        hosted = got.headers["link"].partition(">")[0].removeprefix("<")
        assert hosted.startswith("http://rynek.test/ngsi-ld/v1/jsonldContexts/")
        assert (await c.client.get(hosted)).status_code == 200

    city(test)


def test_headers_of_the_receiver_and_of_the_tenant(city: Callable[[Test], None]) -> None:
    async def test(c: City) -> None:
        info = [
            {"key": "Authorization", "value": "Bearer abc"},
            {"key": "X-Twice", "value": "1"},
            {"key": "X-Twice", "value": "2"},
            {"key": "Link", "value": '<http://a>; rel="x"'},
        ]
        c.client.headers["NGSILD-Tenant"] = "lodz"
        await c.subscribe({"endpoint": {"receiverInfo": info}})
        await c.create(speed=1)
        await c.receiver.wait(1)
        headers = c.receiver.received[0].headers
        assert headers["authorization"] == "Bearer abc"
        assert headers["x-twice"] == "2"
        assert headers["link"] == '<http://a>; rel="x"'
        assert headers["ngsild-tenant"] == "lodz"

    city(test)


def test_with_a_source_filter_nothing_that_is_held_here_is_told(
    city: Callable[[Test], None],
) -> None:
    async def test(c: City) -> None:
        await c.subscribe(csf="quality>3")
        await c.create(speed=1)
        await c.quiet()
        assert c.receiver.received == []

    city(test)


def test_merges_patches_and_feeds_tell_too(city: Callable[[Test], None]) -> None:
    async def test(c: City) -> None:
        await c.create(speed={"value": 1, "observedAt": "2026-01-01T00:00:00Z"})
        await c.subscribe({"format": "keyValues"})
        await c.client.patch(f"entities/{BUS}", json={"speed": {"value": 2}})
        await c.client.patch(f"entities/{BUS}/attrs/speed", json={"value": 3})
        await c.client.put(f"entities/{BUS}", json={"id": BUS, "type": "Bus", "speed": 4})
        context = c.engine.tenant("default").context
        for minute in (1, 2):
            speed = {"value": 4, "observedAt": f"2026-01-01T00:0{minute}:00Z"}
            await context.ingest([{"id": BUS, "type": "Bus", "speed": speed}], "feed:a")
        assert [one["speed"] for one in await c.entities(5)] == [2, 3, 4, 4, 4]

    city(test)


def test_periodic_notifications(city: Callable[[Test], None]) -> None:
    async def test(c: City) -> None:
        await c.subscribe({"format": "keyValues"}, timeInterval=0.1, q="speed>3")
        await asyncio.sleep(0.15)
        assert c.receiver.received == []
        # At once: what is told periodically may be told between two requests.
        batch = [
            {"id": f"urn:b:{n}", "type": "Bus", "speed": v} for n, v in ((1, 4), (2, 3), (3, 5))
        ]
        made = await c.client.post("entityOperations/create", json=batch)
        assert made.status_code == 201, made.text
        got = await c.receiver.wait(2)
        for one in got:
            assert [(e["id"], e["speed"]) for e in one.body["data"]] == [
                ("urn:b:1", 4), ("urn:b:3", 5),
            ]  # fmt: skip

    city(test)


def test_a_periodic_subscription_to_several_selectors(city: Callable[[Test], None]) -> None:
    async def test(c: City) -> None:
        for number in range(3):
            await c.create(f"urn:b:{number}", speed=number)
        one = await c.subscribe(
            timeInterval=0.1, entities=[{"type": "Bus", "id": "urn:b:1"}, {"type": "Bus"}]
        )
        (got,) = await c.receiver.wait(1)
        assert sorted(e["id"] for e in got.body["data"]) == [f"urn:b:{n}" for n in range(3)]
        await c.client.patch(f"subscriptions/{one}", json={"isActive": False})
        count = len(c.receiver.received)
        await asyncio.sleep(0.2)
        assert len(c.receiver.received) <= count + 1

    city(test)


def test_throttling_tells_the_latest_when_its_time_is_over(city: Callable[[Test], None]) -> None:
    async def test(c: City) -> None:
        await c.create("urn:b:3", speed=1)
        await c.subscribe(
            {"format": "concise", "showChanges": True},
            throttling=0.6,
            notificationTrigger=["entityUpdated", "entityDeleted"],
        )
        await c.create("urn:b:1", speed=1)
        await c.receiver.wait(1)
        for speed in (2, 3, 4):
            await c.update("urn:b:1", speed=speed)
        await c.create("urn:b:2", speed=7)
        await c.update("urn:b:2", speed=8)
        await c.client.delete("entities/urn:b:3")
        await c.quiet()
        assert len(c.receiver.received) == 1
        told = {one["id"]: one for one in (await c.receiver.wait(2))[1].body["data"]}
        assert told["urn:b:1"]["speed"] == {"value": 4, "previousValue": 1}
        assert told["urn:b:2"]["speed"] == 8
        assert "deletedAt" in told["urn:b:3"]
        await c.update("urn:b:1", speed=5)
        await c.update("urn:b:1", speed=4)
        await asyncio.sleep(0.7)
        assert len(c.receiver.received) == 2

    city(test)


def test_what_comes_and_goes_while_throttled_holds_nothing_else_up(
    city: Callable[[Test], None],
) -> None:
    async def test(c: City) -> None:
        await c.subscribe(throttling=0.2)
        await c.create("urn:b:1", speed=1)
        await c.receiver.wait(1)
        await c.create("urn:b:2", speed=1)
        await c.client.delete("entities/urn:b:2")
        await c.update("urn:b:1", speed=2)
        told = (await c.receiver.wait(2))[1].body["data"]
        assert [one["id"] for one in told] == ["urn:b:1"]

    city(test)


def test_an_update_of_the_subscription_does_not_shorten_throttling(
    city: Callable[[Test], None],
) -> None:
    async def test(c: City) -> None:
        one = await c.subscribe(throttling=0.6)
        await c.create(speed=1)
        await c.receiver.wait(1)
        await c.update(speed=2)
        await c.client.patch(f"subscriptions/{one}", json={"description": "x"})
        await asyncio.sleep(0.1)
        assert len(c.receiver.received) == 1
        await c.bodies(2)

    city(test)


def test_very_many_entities_come_in_several_notifications(city: Callable[[Test], None]) -> None:
    async def test(c: City) -> None:
        await c.subscribe({"format": "keyValues"})
        batch = [{"id": f"urn:b:{n}", "type": "Bus", "speed": n} for n in range(1500)]
        made = await c.client.post("entityOperations/create", json=batch)
        assert made.status_code == 201
        bodies = await c.bodies(2)
        assert sorted(len(one["data"]) for one in bodies) == [500, 1000]
        assert len({entity["id"] for one in bodies for entity in one["data"]}) == 1500

    city(test)


def test_a_large_batch_is_told_of_once(city: Callable[[Test], None]) -> None:
    async def test(c: City) -> None:
        await c.subscribe({"format": "keyValues"})
        batch = [{"id": f"urn:b:{n}", "type": "Bus", "speed": n} for n in range(300)]
        batch[200] = {"id": "urn:b:1", "type": "Bus", "speed": 999}
        batch[250] = {"id": "urn:b:250"}
        made = await c.client.post("entityOperations/upsert", json=batch)
        assert made.status_code == 207
        assert [one["entityId"] for one in made.json()["errors"]] == ["urn:b:250"]
        (body,) = await c.bodies(1)
        told = {entity["id"]: entity["speed"] for entity in body["data"]}
        assert len(told) == len(body["data"]) == 298
        assert told["urn:b:1"] == 999
        assert made.json()["success"] == list(told)

    city(test)


def test_one_that_cannot_be_told_keeps_nothing_from_the_others(
    city: Callable[[Test], None], caplog: pytest.LogCaptureFixture
) -> None:
    """Its @context takes a name in the entity for a prefix."""

    async def test(c: City) -> None:
        odd = {"Bus": f"{VOCAB}Bus", "urn": {"@id": "http://a.example/", "@prefix": True}}
        body = {
            "type": "Subscription",
            "entities": [{"type": "Bus"}],
            "notification": {"endpoint": {"uri": c.receiver.uri("/odd")}},
            "@context": odd,
        }
        ld = {"Content-Type": "application/ld+json"}
        assert (await c.client.post("subscriptions", json=body, headers=ld)).status_code == 201
        await c.subscribe()
        attrs: dict[str, Any] = {"urn:x": 1}
        await c.create(**attrs)
        assert [one.path for one in await c.receiver.wait(1)] == ["/notify"]
        assert "could not be notified" in caplog.text

    city(test)
