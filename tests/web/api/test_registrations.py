"""Context source registrations through HTTP (CIM 009 §5.9, §5.10, §6.8, §6.9)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from rynek.app import Engine
from rynek.base.clock import to_iso

from .conftest import Serve

CORE = "https://uri.etsi.org/ngsi-ld/v1/ngsi-ld-core-context-v1.9.jsonld"
ERRORS = "https://uri.etsi.org/ngsi-ld/errors/"
LD = {"Content-Type": "application/ld+json"}
SQUARE = {"type": "Polygon", "coordinates": [[[8, 40], [9, 40], [9, 41], [8, 41], [8, 40]]]}
ID = "urn:ngsi-ld:ContextSourceRegistration:one"


def registration(**more: Any) -> dict[str, Any]:
    """A registration of vehicles in a parking place."""
    return {
        "id": ID,
        "type": "ContextSourceRegistration",
        "information": [
            {
                "entities": [{"type": "Vehicle"}, {"type": "Bus", "idPattern": "^urn:bus:"}],
                "propertyNames": ["speed", "brandName"],
                "relationshipNames": ["isParked"],
            },
            {"entities": [{"id": "urn:ngsi-ld:OffStreetParking:1", "type": "OffStreetParking"}]},
        ],
        "endpoint": "http://source.test:1026",
    } | more


def exclusive(entity_id: str = "urn:a:1", **more: Any) -> dict[str, Any]:
    """One attribute of one entity, held by the source alone."""
    info = {"entities": [{"id": entity_id, "type": "A"}], "propertyNames": ["p"]}
    return registration(**({"mode": "exclusive", "information": [info]} | more))


async def made(client: httpx.AsyncClient, document: dict[str, Any]) -> str:
    """Create it and answer its path."""
    answer = await client.post("csourceRegistrations", json=document)
    assert answer.status_code == 201, answer.text
    assert answer.content == b""
    return answer.headers["location"].rpartition("/ngsi-ld/v1/")[2]


def problem(answer: httpx.Response, status: int, kind: str) -> str:
    """Check the problem document and answer its detail."""
    assert answer.status_code == status, answer.text
    body = answer.json()
    assert body["type"] == ERRORS + kind
    return str(body["detail"])


async def found(client: httpx.AsyncClient, **params: Any) -> list[str]:
    """The ids that a discovery answers."""
    answer = await client.get("csourceRegistrations", params=params)
    assert answer.status_code == 200, answer.text
    return [one["id"] for one in answer.json()]


def test_what_is_registered_comes_back_as_it_was(serve: Serve) -> None:
    whole = registration(
        registrationName="Parking",
        description="Cars and places",
        mode="inclusive",
        operations=["retrieveOps", "createEntity"],
        tenant="town",
        contextSourceInfo=[
            {"key": "accept", "value": "application/json"},
            {"key": "contentType", "value": "application/ld+json"},
            {"key": "jsonldContext", "value": "http://context.test/a.jsonld"},
            {"key": "ngsildConformance", "value": "1.6"},
            {"key": "X-Own", "value": "yes"},
        ],
        contextSourceAlias="town.example",
        datasetId=["@none", "urn:dataset:1"],
        scope=["/a/b", "/c"],
        location=SQUARE,
        observationSpace=SQUARE,
        operationSpace={"type": "Point", "coordinates": [8.5, 40.5]},
        expiresAt="2099-01-01T00:00:00Z",
        refreshRate="PT5M",
        management={"localOnly": True, "cacheDuration": "PT1M", "timeout": 1500, "cooldown": 10.5},
        owner="The town",
    )

    async def test(client: httpx.AsyncClient, engine: Engine) -> None:
        path = await made(client, whole)
        assert path == f"csourceRegistrations/{ID}"
        answer = await client.get(path)
        assert answer.json() == whole
        assert f'<{CORE}>; rel="http://www.w3.org/ns/json-ld#context"' in answer.headers["link"]
        inside = await client.get(path, headers={"Accept": "application/ld+json"})
        assert inside.json() == whole | {"@context": CORE}
        assert inside.headers["content-type"] == "application/ld+json"
        system = (await client.get(path, params={"options": "sysAttrs"})).json()
        assert system["createdAt"] == system["modifiedAt"]
        assert {k: v for k, v in system.items() if k not in ("createdAt", "modifiedAt")} == whole

    serve(test)


def test_an_id_is_made_and_names_are_those_of_the_context(serve: Serve) -> None:
    context = {"Vehicle": "http://x.test/Vehicle", "speed": "http://x.test/speed"}
    document = registration() | {"@context": [context, CORE]}
    del document["id"]

    async def test(client: httpx.AsyncClient, engine: Engine) -> None:
        answer = await client.post("csourceRegistrations", json=document, headers=LD)
        assert answer.status_code == 201, answer.text
        path = answer.headers["location"].rpartition("/ngsi-ld/v1/")[2]
        plain = (await client.get(path)).json()
        assert plain["id"].startswith("urn:ngsi-ld:ContextSourceRegistration:")
        assert plain["information"][0]["entities"][0] == {"type": "http://x.test/Vehicle"}
        assert plain["information"][0]["propertyNames"] == ["http://x.test/speed", "brandName"]
        assert await found(client, type="Vehicle") == []
        assert await found(client, type="http://x.test/Vehicle") == [plain["id"]]

    serve(test)


@pytest.mark.parametrize(
    ("more", "named"),
    [
        ({"type": "Registration"}, "type"),
        ({"id": "no uri"}, "id"),
        ({"endpoint": "source.test"}, "endpoint"),
        ({"endpoint": "ftp://source.test"}, "endpoint"),
        ({"endpoint": None}, "endpoint"),
        ({"information": []}, "information"),
        ({"information": {}}, "information"),
        ({"information": [{}]}, "information[0]"),
        ({"information": [{"entities": []}]}, "information[0].entities"),
        ({"information": [{"entities": [{"id": "urn:a:1"}]}]}, "information[0].entities[0]"),
        ({"information": [{"entities": [{"type": "A", "id": "x"}]}]}, "information[0].entities[0]"),
        ({"information": [{"entities": [{"type": "A", "idPattern": "("}]}]}, "idPattern"),
        ({"information": [{"entities": [{"type": []}]}]}, "information[0].entities[0]"),
        ({"information": [{"propertyNames": []}]}, "information[0].propertyNames"),
        ({"information": [{"propertyNames": ["a b"]}]}, "information[0].propertyNames[0]"),
        ({"information": [{"relationshipNames": []}]}, "information[0].relationshipNames"),
        ({"information": [{"properties": ["a"]}]}, "properties"),
        ({"mode": "shared"}, "mode"),
        ({"operations": []}, "operations"),
        ({"operations": ["walkTheDog"]}, "walkTheDog"),
        ({"operations": "retrieveOps"}, "operations"),
        ({"expiresAt": "2001-01-01T00:00:00Z"}, "expiresAt"),
        ({"expiresAt": "tomorrow"}, "expiresAt"),
        ({"observationInterval": {"endAt": "2020-01-01T00:00:00Z"}}, "startAt"),
        ({"observationInterval": "2020-01-01T00:00:00Z"}, "observationInterval"),
        ({"managementInterval": {"startAt": "2020-01-01"}}, "managementInterval"),
        ({"location": {"type": "Point", "coordinates": [200, 0]}}, "location"),
        ({"observationSpace": "here"}, "observationSpace"),
        ({"contextSourceAlias": "no token"}, "contextSourceAlias"),
        ({"contextSourceInfo": [{"key": "accept", "value": "text/html"}]}, "accept"),
        ({"contextSourceInfo": [{"key": "contentType", "value": "text"}]}, "contentType"),
        ({"contextSourceInfo": [{"key": "jsonldContext", "value": "ctx"}]}, "jsonldContext"),
        ({"contextSourceInfo": [{"key": "ngsildConformance", "value": "v1"}]}, "ngsild"),
        ({"contextSourceInfo": [{"key": "a"}]}, "contextSourceInfo"),
        ({"contextSourceInfo": {"key": "a", "value": "b"}}, "contextSourceInfo"),
        ({"datasetId": ["one"]}, "datasetId"),
        ({"description": ""}, "description"),
        ({"registrationName": 5}, "registrationName"),
        ({"scope": "/a//b"}, "scope"),
        ({"refreshRate": "5 minutes"}, "refreshRate"),
        ({"management": {"timeout": 0}}, "timeout"),
        ({"management": {"cooldown": "1"}}, "cooldown"),
        ({"management": {"localOnly": "yes"}}, "localOnly"),
        ({"management": {"cacheDuration": "1h"}}, "cacheDuration"),
        ({"tenant": ""}, "tenant"),
        ({"owner": "urn:ngsi-ld:null"}, "owner"),
        ({"owner": None}, "owner"),
        ({"id": None}, "id"),
        ({"datasetId": ["urn:ngsi-ld:null"]}, "[0] is one"),
        ({"information": [{"propertyNames": ["urn:ngsi-ld:null"]}]}, "[0].propertyNames[0] is one"),
        ({"mode": "exclusive"}, "exclusive"),
        ({"mode": "auxiliary", "operations": ["createEntity"]}, "operations"),
        ({"mode": "auxiliary", "operations": ["retrieveOps", "redirectionOps"]}, "operations"),
    ],
)
def test_what_breaks_a_rule_is_refused_with_its_name(
    serve: Serve, more: dict[str, Any], named: str
) -> None:
    async def test(client: httpx.AsyncClient, engine: Engine) -> None:
        answer = await client.post("csourceRegistrations", json=registration(**more))
        assert named in problem(answer, 400, "BadRequestData")
        assert engine.tenant("default").registrations.empty

    serve(test)


def test_members_that_are_missing_are_named(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, engine: Engine) -> None:
        for member in ("type", "information", "endpoint"):
            document = registration()
            del document[member]
            answer = await client.post("csourceRegistrations", json=document)
            assert member in problem(answer, 400, "BadRequestData")
        answer = await client.post(
            "csourceRegistrations", content=b"{", headers={"Content-Type": "application/json"}
        )
        problem(answer, 400, "InvalidRequest")

    serve(test)


def test_read_only_members_are_ignored(serve: Serve) -> None:
    given = {"status": "failed", "timesSent": 4, "timesFailed": 4, "lastFailure": "x"}

    async def test(client: httpx.AsyncClient, engine: Engine) -> None:
        path = await made(client, registration(**given))
        assert (await client.get(path)).json() == registration()
        assert (await client.patch(path, json=given)).status_code == 204
        assert (await client.get(path)).json() == registration()

    serve(test)


def test_what_is_there_twice_or_not_at_all(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, engine: Engine) -> None:
        path = await made(client, registration())
        problem(
            await client.post("csourceRegistrations", json=registration()), 409, "AlreadyExists"
        )
        assert (await client.delete(path)).status_code == 204
        for answer in (
            await client.get(path),
            await client.delete(path),
            await client.patch(path, json={"description": "x"}),
        ):
            problem(answer, 404, "ResourceNotFound")
        for answer in (
            await client.get("csourceRegistrations/none"),
            await client.delete("csourceRegistrations/none"),
            await client.patch("csourceRegistrations/none", json={"description": "x"}),
        ):
            problem(answer, 400, "BadRequestData")

    serve(test)


def test_a_fragment_replaces_members_and_the_null_deletes_them(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, engine: Engine) -> None:
        path = await made(client, registration(description="old", owner="a", scope="/x"))
        fragment = {
            "type": "ContextSourceRegistration",
            "description": "urn:ngsi-ld:null",
            "owner": {"type": "Property", "value": "b"},
            "information": [{"propertyNames": ["other"]}],
            "expiresAt": "2099-01-01T00:00:00Z",
        }
        answer = await client.patch(
            path, json=fragment, headers={"Content-Type": "application/merge-patch+json"}
        )
        assert answer.status_code == 204, answer.text
        expected = registration(**fragment, scope="/x")
        del expected["description"]
        assert (await client.get(path)).json() == expected
        assert await found(client, attrs="other") == [ID]
        assert await found(client, type="Vehicle", attrs="speed") == []
        for bad in (
            {"endpoint": "urn:ngsi-ld:null"},
            {"id": "urn:other"},
            {"type": "Subscription"},
            {"mode": "exclusive"},
            {"expiresAt": "2001-01-01T00:00:00Z"},
        ):
            problem(await client.patch(path, json=bad), 400, "BadRequestData")
        assert (await client.get(path)).json() == expected

    serve(test)


def test_an_exclusive_registration_bears_no_other_beside_it(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, engine: Engine) -> None:
        first = await made(client, exclusive())
        clashes: list[dict[str, Any]] = [
            exclusive(id="urn:r:2"),
            registration(id="urn:r:2", mode="redirect", information=[{"propertyNames": ["p"]}]),
            registration(
                id="urn:r:2", mode="redirect", information=[{"entities": [{"type": "A"}]}]
            ),
            registration(
                id="urn:r:2",
                mode="redirect",
                information=[{"entities": [{"type": "A", "idPattern": "^urn:a"}]}],
            ),
        ]
        for document in clashes:
            answer = await client.post("csourceRegistrations", json=document)
            assert ID in problem(answer, 409, "Conflict")
        friends = [
            exclusive("urn:a:2", id="urn:r:3"),
            exclusive(
                id="urn:r:4",
                information=[
                    {"entities": [{"id": "urn:a:1", "type": "A"}], "relationshipNames": ["q"]}
                ],
            ),
            registration(
                id="urn:r:5", mode="redirect", information=[{"entities": [{"type": "B"}]}]
            ),
            registration(id="urn:r:6", information=[{"entities": [{"type": "A"}]}]),
            registration(
                id="urn:r:7",
                mode="auxiliary",
                operations=["retrieveOps"],
                information=[{"propertyNames": ["p"]}],
            ),
        ]
        for document in friends:
            await made(client, document)
        answer = await client.patch("csourceRegistrations/urn:r:6", json={"mode": "redirect"})
        problem(answer, 409, "Conflict")
        assert (await client.delete(first)).status_code == 204

    serve(test)


def test_a_redirect_registration_comes_before_an_exclusive_one(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, engine: Engine) -> None:
        redirect = registration(mode="redirect", information=[{"entities": [{"type": "A"}]}])
        await made(client, redirect)
        await made(client, redirect | {"id": "urn:r:2"})
        answer = await client.post("csourceRegistrations", json=exclusive(id="urn:r:3"))
        problem(answer, 409, "Conflict")

    serve(test)


@pytest.mark.parametrize(
    ("document", "clashes"),
    [
        (exclusive(), True),
        (exclusive("urn:a:2"), False),
        (
            exclusive(
                information=[
                    {"entities": [{"id": "urn:a:1", "type": "A"}], "propertyNames": ["other"]}
                ]
            ),
            False,
        ),
        (registration(mode="redirect", information=[{"entities": [{"type": "A"}]}]), True),
        (registration(mode="redirect", information=[{"propertyNames": ["p"]}]), True),
        (
            registration(
                mode="redirect", information=[{"entities": [{"type": "A", "idPattern": "2$"}]}]
            ),
            False,
        ),
        (
            registration(
                mode="redirect",
                information=[{"entities": [{"type": "A"}], "propertyNames": ["other"]}],
            ),
            False,
        ),
        (registration(information=[{"entities": [{"type": "A"}]}]), False),
    ],
)
def test_a_proxied_registration_meets_no_entity_held_here(
    serve: Serve, document: dict[str, Any], *, clashes: bool
) -> None:
    async def test(client: httpx.AsyncClient, engine: Engine) -> None:
        held = {"id": "urn:a:1", "type": "A", "p": {"type": "Property", "value": 1}}
        assert (await client.post("entities", json=held)).status_code == 201
        answer = await client.post("csourceRegistrations", json=document)
        if clashes:
            problem(answer, 409, "Conflict")
        else:
            assert answer.status_code == 201, answer.text

    serve(test)


def test_discovery_by_type_id_and_attributes(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, engine: Engine) -> None:
        await made(client, registration())
        await made(
            client, registration(id="urn:r:2", information=[{"propertyNames": ["temperature"]}])
        )
        assert await found(client, type="Vehicle") == [ID, "urn:r:2"]
        assert await found(client, type="Vehicle", attrs="speed") == [ID]
        assert await found(client, type="Vehicle", attrs="isParked,other") == [ID]
        assert await found(client, type="Vehicle", attrs="other") == []
        assert await found(client, type="Vehicle", q="brandName==5;other") == [ID]
        assert await found(client, type="Vehicle", pick="brandName,id") == [ID]
        assert await found(client, attrs="temperature") == [ID, "urn:r:2"]
        assert await found(client, type="Bus", id="urn:bus:1", attrs="speed") == [ID]
        assert await found(client, type="Bus", id="urn:tram:1", attrs="speed") == []
        assert await found(client, type="OffStreetParking", idPattern="1$", attrs="x") == [ID]
        assert await found(client, type="OffStreetParking", idPattern="2$", attrs="x") == []
        for params in (
            {},
            {"id": "urn:bus:1"},
            {"idPattern": "x"},
            {"csf": "endpoint"},
            {"type": "A", "id": "no uri"},
            {"type": "A", "q": "a=="},
            {"type": "A", "georel": "near"},
            {"type": "A", "timerel": "before"},
        ):
            answer = await client.get("csourceRegistrations", params=params)
            problem(answer, 400, "BadRequestData")
        huge = await client.get("csourceRegistrations?type=A&options=huge")
        problem(huge, 400, "InvalidRequest")

    serve(test)


def test_discovery_shows_only_the_information_that_matches(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, engine: Engine) -> None:
        await made(client, registration())
        answer = await client.get("csourceRegistrations", params={"type": "Vehicle"})
        assert answer.json() == [registration(information=registration()["information"][:1])]

    serve(test)


def test_discovery_by_place_scope_and_filter_of_sources(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, engine: Engine) -> None:
        await made(
            client, registration(location=SQUARE, scope="/a/b", owner="town", registrationName="P")
        )
        await made(client, registration(id="urn:r:2"))

        def near(lon: float) -> dict[str, str]:
            return {
                "type": "Vehicle",
                "georel": "near;maxDistance==2000",
                "geometry": "Point",
                "coordinates": f"[{lon},40.5]",
            }

        assert await found(client, **near(8.5)) == [ID]
        assert await found(client, **near(9.01)) == [ID]
        assert await found(client, **near(9.5)) == []
        assert await found(client, **near(8.5), geoproperty="observationSpace") == []
        assert await found(client, type="Vehicle", scopeQ="/a/#") == [ID]
        assert await found(client, type="Vehicle", scopeQ="/c") == []
        assert await found(client, type="Vehicle", csf='owner=="town"') == [ID]
        assert await found(client, type="Vehicle", csf='registrationName~="^P"') == [ID]
        assert await found(client, type="Vehicle", csf='endpoint=="http://source.test:1026"') == [
            ID,
            "urn:r:2",
        ]
        assert await found(client, type="Vehicle", csf="owner") == [ID]

    serve(test)


def test_temporal_registrations_are_discovered_by_their_time(serve: Serve) -> None:
    observed = {"startAt": "2020-01-01T00:00:00Z", "endAt": "2021-01-01T00:00:00Z"}

    async def test(client: httpx.AsyncClient, engine: Engine) -> None:
        await made(client, registration())
        await made(client, registration(id="urn:r:2", observationInterval=observed))
        await made(
            client,
            registration(id="urn:r:3", managementInterval={"startAt": "2020-01-01T00:00:00Z"}),
        )
        assert await found(client, type="Vehicle") == [ID]

        async def at(relation: str, time: str, **more: str) -> list[str]:
            return await found(client, type="Vehicle", timerel=relation, timeAt=time, **more)

        assert await at("before", "2020-06-01T00:00:00Z") == ["urn:r:2"]
        assert await at("before", "2019-06-01T00:00:00Z") == []
        assert await at("after", "2020-06-01T00:00:00Z") == ["urn:r:2"]
        assert await at("after", "2022-06-01T00:00:00Z") == []
        end = {"endTimeAt": "2020-02-01T00:00:00Z"}
        assert await at("between", "2019-06-01T00:00:00Z", **end) == ["urn:r:2"]
        assert await at("after", "2022-06-01T00:00:00Z", timeproperty="modifiedAt") == ["urn:r:3"]

    serve(test)


def test_discovery_has_pages_and_a_count(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, engine: Engine) -> None:
        for number in range(5):
            await made(client, registration(id=f"urn:r:{number}"))
        answer = await client.get(
            "csourceRegistrations",
            params={"type": "Vehicle", "limit": 2, "offset": 2, "count": "true"},
        )
        assert [one["id"] for one in answer.json()] == ["urn:r:2", "urn:r:3"]
        assert answer.headers["ngsild-results-count"] == "5"
        links = answer.headers.get_list("link")
        assert any('rel="next"' in link and "offset=4" in link for link in links)
        assert any('rel="prev"' in link and "offset=0" in link for link in links)
        none = await client.get(
            "csourceRegistrations", params={"type": "Vehicle", "limit": 0, "count": "true"}
        )
        assert none.json() == []
        assert none.headers["ngsild-results-count"] == "5"
        inside = await client.get(
            "csourceRegistrations",
            params={"type": "Vehicle", "limit": 1},
            headers={"Accept": "application/ld+json"},
        )
        assert inside.json()[0]["@context"] == CORE

    serve(test)


def test_a_registration_ends_when_its_time_is_over(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, engine: Engine) -> None:
        tenant = engine.tenant("default")
        soon = to_iso(tenant.clock.now() + 150_000)
        path = await made(client, registration(expiresAt=soon))
        assert (await client.get(path)).json()["expiresAt"] == soon
        await _until(lambda: not tenant.context.store.documents.list("registration"))
        problem(await client.get(path), 404, "ResourceNotFound")
        assert tenant.registrations.empty

    serve(test)


async def _until(done: Callable[[], bool]) -> None:
    import asyncio

    for _ in range(4_000):
        if done():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not come to that")


def test_registrations_and_their_counters_survive_a_restart(serve: Serve) -> None:
    async def before(client: httpx.AsyncClient, engine: Engine) -> None:
        path = await made(client, registration(registrationName="P"))
        await made(client, exclusive(id="urn:r:2"))
        known = engine.tenant("default").registrations
        known.note_success(ID)
        known.note_failure(ID, "no answer within 1 s")
        counted = (await client.get(path)).json()
        assert (counted["timesSent"], counted["timesFailed"], counted["status"]) == (2, 1, "failed")
        assert counted["lastFailure"] > counted["lastSuccess"]
        assert (await client.patch(path, json={"description": "x"})).status_code == 204

    async def after(client: httpx.AsyncClient, engine: Engine) -> None:
        counted = (await client.get(f"csourceRegistrations/{ID}")).json()
        assert (counted["timesSent"], counted["description"]) == (2, "x")
        assert await found(client, type="Vehicle", attrs="speed") == [ID]
        first, second = engine.tenant("default").registrations.health()
        assert (first.id, first.name, first.status, first.times_sent) == (ID, "P", "failed", 2)
        assert first.last_error == "no answer within 1 s"
        assert (second.mode, second.status, second.times_sent) == ("exclusive", None, 0)
        problem(
            await client.post("csourceRegistrations", json=exclusive(id="urn:r:3")), 409, "Conflict"
        )

    serve(before)
    serve(after)


def test_a_registration_makes_its_tenant_unless_it_is_refused(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, engine: Engine) -> None:
        north = {"NGSILD-Tenant": "north"}
        bad = await client.post("csourceRegistrations", json=registration(mode="x"), headers=north)
        problem(bad, 400, "BadRequestData")
        assert "north" not in engine.tenants
        problem(
            await client.get(f"csourceRegistrations/{ID}", headers=north), 404, "NonexistentTenant"
        )
        answer = await client.post("csourceRegistrations", json=registration(), headers=north)
        assert answer.status_code == 201
        assert answer.headers["ngsild-tenant"] == "north"
        assert (await client.get(f"csourceRegistrations/{ID}", headers=north)).status_code == 200
        problem(await client.get(f"csourceRegistrations/{ID}"), 404, "ResourceNotFound")

    serve(test)


def test_who_may_only_read_sees_no_passwords(serve: Serve) -> None:
    pairs = [{"key": "accept", "value": "application/json"}, {"key": "X-Key", "value": "s3cret"}]

    async def before(client: httpx.AsyncClient, engine: Engine) -> None:
        path = await made(client, registration(contextSourceInfo=pairs))
        assert (await client.get(path)).json()["contextSourceInfo"] == pairs

    async def after(client: httpx.AsyncClient, engine: Engine) -> None:
        shown = (await client.get(f"csourceRegistrations/{ID}")).json()
        assert shown["contextSourceInfo"] == pairs[:1]
        (listed,) = (await client.get("csourceRegistrations", params={"type": "Vehicle"})).json()
        assert listed["contextSourceInfo"] == pairs[:1]
        token = engine.tokens.create("writer", ("write",))
        header = {"Authorization": f"Bearer {token}"}
        shown = (await client.get(f"csourceRegistrations/{ID}", headers=header)).json()
        assert shown["contextSourceInfo"] == pairs

    serve(before)
    serve(after, access__anonymous="read")


def test_two_at_once_are_not_both_let_in(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, engine: Engine) -> None:
        import asyncio

        answers = await asyncio.gather(
            *(
                client.post("csourceRegistrations", json=exclusive(id=f"urn:r:{number}"))
                for number in range(5)
            )
        )
        assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409, 409]

    serve(test)


def test_the_identity_of_the_source_and_of_each_tenant(serve: Serve) -> None:
    seen: list[str] = []

    async def test(client: httpx.AsyncClient, engine: Engine) -> None:
        engine.tenant("north", create=True)
        answer = await client.get("info/sourceIdentity")
        assert answer.status_code == 200
        body = answer.json()
        assert body["type"] == "ContextSourceIdentity"
        assert body["contextSourceUptime"].startswith("PT")
        assert body["contextSourceTimeAt"].endswith("Z")
        assert body["contextSourceExtras"]["software"] == "rynek"
        assert body["id"].startswith("urn:")
        seen.append(body["contextSourceAlias"])
        north = await client.get("info/sourceIdentity", headers={"NGSILD-Tenant": "north"})
        assert north.json()["contextSourceAlias"] == f"north.{body['contextSourceAlias']}"
        inside = await client.get("info/sourceIdentity", headers={"Accept": "application/ld+json"})
        assert inside.json()["@context"] == CORE

    serve(test)
    serve(test)
    assert seen[0] == seen[1]

    async def named(client: httpx.AsyncClient, engine: Engine) -> None:
        body = (await client.get("info/sourceIdentity")).json()
        assert body["contextSourceAlias"] == "city.example"

    serve(named, federation__alias="city.example")


def test_no_entity_slips_in_between_check_and_registration(serve: Serve) -> None:
    """A redirect registration and an entity that it is about, at the same time (§4.3.6.3)."""

    async def test(client: httpx.AsyncClient, engine: Engine) -> None:
        held = refused = 0
        for number in range(12):
            one = f"urn:ngsi-ld:Bench:{number}"
            document = registration(
                id=f"urn:r:{number}",
                mode="redirect",
                endpoint="http://127.0.0.1:9",
                information=[{"entities": [{"id": one, "type": "Bench"}]}],
            )
            posts = [("csourceRegistrations", document), ("entities", {"id": one, "type": "Bench"})]
            if number % 2:
                posts.reverse()
            done = await asyncio.gather(*(client.post(url, json=body) for url, body in posts))
            here = engine.tenant("default").context.row(one) is not None
            known = engine.tenant("default").registrations.find(f"urn:r:{number}") is not None
            assert here != known
            statuses = dict(zip([url for url, _ in posts], done, strict=True))
            assert statuses["csourceRegistrations"].status_code == (201 if known else 409)
            held += here
            refused += known
        assert held, "the entity never came first"

    serve(test, network__allow_private=True)
