"""Reads of entities that several brokers hold (CIM 009 §4.3.6, §4.5.5, §5.7.1, §5.7.2, §6.3.17)."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from .federation import Broker, odd, room, run, says

R1 = "urn:ngsi-ld:Room:1"


def test_inclusive_parts_of_an_entity_come_together(tmp_path: Path) -> None:
    async def test(here: Broker, there: Broker) -> None:
        await here.create(room(1, temperature=20))
        await there.create(room(1, humidity=40), room(2, humidity=50))
        await here.register(there.url)
        found = await here.get(f"entities/{R1}")
        assert found.json() == room(1, temperature=20, humidity=40)
        assert "ngsild-warning" not in found.headers
        # Only the source has it; and only what is held here with local=true.
        assert (await here.get("entities/urn:ngsi-ld:Room:2")).json() == room(2, humidity=50)
        assert await here.local(R1) == room(1, temperature=20)
        listed = await here.get("entities", type="Room", count="true")
        assert listed.json() == [room(1, temperature=20, humidity=40), room(2, humidity=50)]
        assert listed.headers["ngsild-results-count"] == "2"

    run(tmp_path, test)


def test_of_two_values_the_one_observed_last_and_then_modified_last_is_shown(
    tmp_path: Path,
) -> None:
    async def test(here: Broker, there: Broker) -> None:
        def seen(value: int, at: str) -> dict[str, Any]:
            return {"type": "Property", "value": value, "observedAt": f"2026-05-01T{at}:00Z"}

        await there.create(room(1, a=seen(2, "10:00"), b=seen(2, "09:00"), c=2))
        await here.create(room(1, a=seen(1, "09:00"), b=seen(1, "10:00"), c=1))
        await here.register(there.url)
        shown = (await here.get(f"entities/{R1}", format="simplified")).json()
        assert (shown["a"], shown["b"], shown["c"]) == (2, 1, 1)
        await there.client.patch(f"entities/{R1}/attrs", json={"c": 3})
        for answer in (
            await here.get(f"entities/{R1}", format="simplified"),
            await here.get("entities", type="Room", format="simplified"),
        ):
            document = answer.json()
            shown = document[0] if isinstance(document, list) else document
            assert shown["c"] == 3

    run(tmp_path, test)


def test_what_is_held_exclusively_or_by_redirect_comes_from_the_source_alone(
    tmp_path: Path,
) -> None:
    async def test(here: Broker, there: Broker) -> None:
        await there.create(room(1, temperature=20, secret=1), room(7, temperature=7))
        only = {
            "entities": [{"type": "Room", "id": R1}],
            "propertyNames": ["temperature"],
        }
        await here.create(room(1, humidity=40))
        await here.register(there.url, information=[only], mode="exclusive")
        # Only what is registered is asked for and taken.
        assert (await here.get(f"entities/{R1}")).json() == room(1, humidity=40, temperature=20)
        listed = (await here.get("entities", type="Room")).json()
        assert listed == [room(1, humidity=40, temperature=20)]
        seven = {"entities": [{"type": "Room", "idPattern": ".*:7$"}]}
        await here.register(there.url, information=[seven], mode="redirect")
        assert (await here.get("entities/urn:ngsi-ld:Room:7")).json() == room(7, temperature=7)

    run(tmp_path, test)


def test_auxiliary_sources_only_add_what_nobody_else_has(tmp_path: Path) -> None:
    async def test(here: Broker, there: Broker, third: Broker) -> None:
        await here.create(room(1, a=1))
        await there.create(room(1, a=2, b=2, c=2), room(2, a=2))
        await third.create(room(1, b=3))
        await here.register(there.url, mode="auxiliary")
        await here.register(third.url)
        one = await here.get(f"entities/{R1}", format="simplified")
        assert one.json() == {"id": R1, "type": "Room", "a": 1, "b": 3, "c": 2}
        listed = (await here.get("entities", type="Room", format="simplified")).json()
        assert listed[0] == one.json()
        assert listed[1]["a"] == 2

    run(tmp_path, test, 3)


def test_a_source_that_fails_is_named_in_a_warning(tmp_path: Path) -> None:
    async def test(here: Broker) -> None:
        await here.create(room(1, a=1))
        cases = [
            (says({"detail": "no"}, 403), "299", "status 403"),
            (says({"detail": "down"}, 500), "299", "status 500"),
            (says({"id": R1, "type": "Room", "a": None}), "111", "Room:1"),
            (says([1]), "111", "no entity"),
            (lambda *_: (200, {}, b"<html>"), "111", "no entity"),
            (says(room(2)), "111", "another entity"),
            (lambda *_: (200, {}, b"[" * 100_000), "111", "no entity"),
            (lambda *_: (200, {}, b" " * 3_000_000), "111", "larger"),
            (says("", 302, {"Location": "http://127.0.0.1:1/"}), "299", "status 302"),
        ]
        for respond, code, words in cases:
            async with odd(respond) as source:
                one = await here.register(source.url)
                found = await here.get(f"entities/{R1}")
                assert found.json() == room(1, a=1)
                warning = found.headers["ngsild-warning"]
                assert warning.startswith(f"{code} ")
                assert one in warning
                assert words in warning
                await here.client.delete(f"csourceRegistrations/{one}")
        async with odd(says({}, 404)) as source:
            one = await here.register(source.url)
            assert "ngsild-warning" not in (await here.get(f"entities/{R1}")).headers
            missing = await here.get("entities/urn:ngsi-ld:Room:9")
            assert missing.status_code == 404

    run(tmp_path, test, 1, federation__max_answer_bytes=2_000_000)


def test_a_dead_or_slow_source_costs_no_more_than_its_timeout(tmp_path: Path) -> None:
    async def test(here: Broker) -> None:
        await here.create(room(1, a=1))
        async with odd(says([]), delay=60) as source:
            management = {"timeout": 150}
            await here.register(source.url, management=management)
            gone = await here.register("http://127.0.0.1:1")
            begun = time.perf_counter()
            found = await here.get("entities", type="Room")
            assert time.perf_counter() - begun < 50, "it waited for the answer"
            assert found.json() == [room(1, a=1)]
            warnings = found.headers.get_list("ngsild-warning")
            assert len(warnings) == 2
            assert all(warning.startswith("199 ") for warning in warnings)
            assert "0.15 s" in warnings[0] and gone in warnings[1]
            missing = await here.get("entities/urn:ngsi-ld:Room:9")
            assert missing.status_code == 404
            assert missing.headers["ngsild-warning"].startswith("199 ")
            # The third timeout in a row: now it is left alone for a while.
            await here.get("entities", type="Room")
            asked = len(source.asked)
            again = await here.get("entities", type="Room")
            assert len(source.asked) == asked
            assert "left alone" in again.headers.get_list("ngsild-warning")[0]
        known = (await here.get(f"csourceRegistrations/{gone}")).json()
        assert known["status"] == "failed"
        assert known["timesFailed"] == known["timesSent"] > 0

    run(tmp_path, test, 1)


def test_a_cooldown_of_the_registration_begins_with_the_first_failure(tmp_path: Path) -> None:
    async def test(here: Broker) -> None:
        async with odd(says({}, 500)) as source:
            await here.register(source.url, management={"cooldown": 60_000})
            for _ in range(3):
                found = await here.get("entities", type="Room")
                assert "ngsild-warning" in found.headers
            assert len(source.asked) == 1

    run(tmp_path, test, 1)


def test_loops_end(tmp_path: Path) -> None:
    async def test(here: Broker, there: Broker) -> None:
        await here.create(room(1, a=1))
        await there.create(room(1, b=2))
        await here.register(there.url)
        await there.register(here.url)
        await here.register(here.url)
        found = await here.get(f"entities/{R1}")
        assert found.json() == room(1, a=1, b=2)
        warnings = found.headers.get_list("ngsild-warning")
        assert all(one.startswith("199 ") and "loop" in one for one in warnings)
        listed = await here.get("entities", type="Room")
        assert listed.json() == [room(1, a=1, b=2)]
        # With its alias known, a source that the request has passed is not even asked.
        for broker in (here, there):
            for one in (await broker.get("csourceRegistrations", type="Room")).json():
                await broker.client.delete(f"csourceRegistrations/{one['id']}")
        alias = (await here.get("info/sourceIdentity")).json()["contextSourceAlias"]
        await here.register(there.url)
        await there.register(here.url, contextSourceAlias=alias)
        found = await here.get(f"entities/{R1}")
        assert found.json() == room(1, a=1, b=2)
        assert "ngsild-warning" not in found.headers

    run(tmp_path, test)


def test_a_request_that_came_through_here_before_is_a_loop(tmp_path: Path) -> None:
    async def test(here: Broker) -> None:
        alias = (await here.get("info/sourceIdentity")).json()["contextSourceAlias"]
        via = {"Via": f"1.1 other, HTTP/1.1 {alias} (a comment, or two)"}
        plain = await here.client.get("entities?type=Room", headers=via)
        assert plain.status_code == 200
        async with odd(says([])) as source:
            await here.register(source.url)
            looped = await here.client.get("entities?type=Room", headers=via)
            assert looped.status_code == 508
            local = await here.client.get("entities?type=Room&local=true", headers=via)
            assert local.status_code == 200
            assert source.asked == []
            await here.client.get("entities?type=Room", headers={"Via": "1.1 other"})
            assert source.asked[0][2]["via"] == f"1.1 other, 1.1 {alias}"

    run(tmp_path, test, 1)


def test_a_source_is_asked_in_the_tenant_that_its_registration_names(tmp_path: Path) -> None:
    async def test(here: Broker, there: Broker) -> None:
        await there.create(room(1, a="default"))
        await there.create(room(1, a="north"), tenant="north")
        north = await here.register(there.url, tenant="north")
        simple = {"format": "simplified"}
        assert (await here.get(f"entities/{R1}", **simple)).json()["a"] == "north"
        await here.client.delete(f"csourceRegistrations/{north}")
        await here.create(room(9), tenant="south")
        south = {"NGSILD-Tenant": "south"}
        document = {
            "type": "ContextSourceRegistration",
            "endpoint": there.url,
            "information": [{"entities": [{"type": "Room"}]}],
        }
        await here.client.post("csourceRegistrations", json=document, headers=south)
        found = await here.client.get(f"entities/{R1}?format=simplified", headers=south)
        assert found.json()["a"] == "default"
        assert (await here.get(f"entities/{R1}")).status_code == 404
        # Two tenants of one broker are two sources.
        await here.register(here.url, tenant="south")
        assert (await here.get("entities/urn:ngsi-ld:Room:9")).status_code == 200

    run(tmp_path, test)


def test_what_a_source_is_asked_keeps_to_its_registration(tmp_path: Path) -> None:
    async def test(here: Broker) -> None:
        async with odd(says([])) as source:

            async def asked(**params: Any) -> dict[str, str]:
                source.asked.clear()
                assert (await here.get("entities", **params)).status_code == 200
                (method, path, headers, _) = source.asked[0]
                assert method == "GET"
                assert headers["accept"] == "application/json"
                assert "https://uri.etsi.org/ngsi-ld/" in headers["link"]
                assert path.startswith("/ngsi-ld/v1/entities?")
                return dict(parse_qsl(path.partition("?")[2]))

            info = {
                "entities": [{"type": "Room"}, {"type": "Hall", "idPattern": "^urn:hall"}],
                "propertyNames": ["a", "b"],
            }
            await here.register(source.url, information=[info])
            assert await asked(type="Room,Car") == {"type": "Room", "attrs": "a,b"}
            assert await asked(attrs="b,c", local="false") == {
                "type": "Room,Hall", "attrs": "b",
            }  # fmt: skip
            assert await asked(type="Room", q="a>1", limit="7", count="true", lang="de") == {
                "type": "Room", "attrs": "a,b", "q": "a>1", "limit": "7", "count": "true",
            }  # fmt: skip
            ids = "urn:hall:1,urn:other:2"
            assert (await asked(type="Hall", id=ids))["id"] == "urn:hall:1"
            assert (await asked(type="Hall"))["idPattern"] == "^urn:hall"
            assert await asked(type="Room", q="a>1", splitEntities="true") == {
                "type": "Room", "attrs": "a,b",
            }  # fmt: skip
            place = {"georel": "near;maxDistance==10", "geometry": "Point", "coordinates": "[1,2]"}
            near = await asked(type="Room", scopeQ="/a/#", options="sysAttrs", **place)
            assert near == place | {
                "type": "Room", "attrs": "a,b", "scopeQ": "/a/#", "options": "sysAttrs",
            }  # fmt: skip

            source.asked.clear()
            answer = await here.client.post(
                "entityOperations/query",
                json={"type": "Query", "entities": [{"type": "Room"}], "q": "a==1", "geoQ": {
                    **place, "coordinates": [1, 2]}},
            )  # fmt: skip
            assert answer.status_code == 200
            method, path, _, body = source.asked[0]
            assert (method, path) == ("POST", "/ngsi-ld/v1/entityOperations/query")
            assert body == {
                "type": "Query", "entities": [{"type": "Room"}], "attrs": ["a", "b"], "q": "a==1",
                "geoQ": {**place, "coordinates": [1, 2]},
            }  # fmt: skip

    run(tmp_path, test, 1)


def test_context_source_info_goes_along(tmp_path: Path) -> None:
    async def test(here: Broker) -> None:
        document = {"@context": {"Room": "https://x.test/Zimmer", "a": "https://x.test/Wert"}}
        hosted = odd(says(document, headers={"Content-Type": "application/ld+json"}))
        zimmer = {"id": R1, "type": "Zimmer", "Wert": {"type": "Property", "value": 5}}
        async with odd(says([zimmer])) as source, hosted as contexts:
            theirs = {
                "@context": {"Zimmer": "https://x.test/Zimmer", "Wert": "https://x.test/Wert"}
            }
            async with odd(says(theirs)) as their_contexts:
                info = {
                    "Authorization": "Bearer 1", "X-User": "urn:ngsi-ld:request",
                    "X-Gone": "urn:ngsi-ld:request", "NGSILD-Tenant": "no", "Host": "no",
                    "jsonldContext": their_contexts.url,
                }  # fmt: skip
                pairs = [{"key": key, "value": value} for key, value in info.items()]
                link = f'<{contexts.url}>; rel="http://www.w3.org/ns/json-ld#context"'
                await here.client.post(
                    "csourceRegistrations",
                    json={
                        "type": "ContextSourceRegistration", "endpoint": source.url,
                        "contextSourceInfo": pairs, "management": {"localOnly": True},
                        "information": [{"entities": [{"type": "Room"}]}],
                    },
                    headers={"Link": link},
                )  # fmt: skip
                found = await here.client.get(
                    "entities?type=Room&q=a==5&attrs=a",
                    headers={"Link": link, "X-User": "anna"},
                )
                assert found.json() == [room(1, a=5)]
                _, path, headers, _ = source.asked[0]
                assert dict(parse_qsl(path.partition("?")[2])) == {
                    "type": "Zimmer", "attrs": "Wert", "q": "Wert==5", "local": "true",
                }  # fmt: skip
                assert headers["authorization"] == "Bearer 1"
                assert headers["x-user"] == "anna"
                assert "x-gone" not in headers and "ngsild-tenant" not in headers
                assert headers["link"].startswith(f"<{their_contexts.url}>")

    run(tmp_path, test, 1)


def test_pages_over_sources_miss_and_repeat_nothing(tmp_path: Path) -> None:
    async def test(here: Broker, there: Broker, third: Broker) -> None:
        await here.create(*(room(n, a=n) for n in range(5)))
        for broker, first in ((there, 100), (third, 200)):
            batch = [room(first + n, a=n) for n in range(7)]
            await broker.client.post("entityOperations/create", json=batch)
            await here.register(broker.url)
        seen: list[str] = []
        for offset in range(0, 20, 4):
            page = await here.get("entities", type="Room", limit=4, offset=offset, count="true")
            assert page.headers["ngsild-results-count"] == "19"
            assert ('rel="next"' in page.headers.get("link", "")) == (offset < 16)
            seen += [one["id"] for one in page.json()]
        assert len(seen) == len(set(seen)) == 19
        assert seen[:5] == [f"urn:ngsi-ld:Room:{n}" for n in range(5)]
        nothing = await here.get("entities", type="Room", limit=0, count="true", q="a>4")
        assert nothing.json() == [] and nothing.headers["ngsild-results-count"] == "4"

    run(tmp_path, test, 3)


def test_deep_pages_take_each_source_s_share(tmp_path: Path) -> None:
    async def test(here: Broker, there: Broker) -> None:
        for broker, first in ((here, 0), (there, 10_000)):
            batch = [room(first + n, a=n) for n in range(1500)]
            await broker.client.post("entityOperations/create", json=batch)
        await here.register(there.url)
        seen: list[str] = []
        for offset in range(0, 3000, 500):
            page = await here.get("entities", type="Room", limit=500, offset=offset)
            seen += [one["id"] for one in page.json()]
        assert len(seen) == len(set(seen)) == 3000

    run(tmp_path, test)


def test_split_entities_are_assembled_before_they_are_filtered(tmp_path: Path) -> None:
    async def test(here: Broker, there: Broker) -> None:
        for n in range(30):
            await here.create(room(n, a=n))
        batch = [room(n, b=n % 3) for n in range(30)]
        await there.client.post("entityOperations/create", json=batch)
        await here.register(there.url)
        wanted = {"type": "Room", "q": "a>10;b==1", "count": "true", "limit": "4"}
        apart = await here.get("entities", **wanted)
        assert apart.json() == []
        together = await here.get("entities", splitEntities="true", **wanted)
        assert [one["a"]["value"] for one in together.json()] == [13, 16, 19, 22]
        assert together.headers["ngsild-results-count"] == "6"
        assert 'rel="next"' in together.headers["link"]
        sorted_out = await here.get("entities", splitEntities="true", type="Room", attrs="nothing")
        assert sorted_out.json() == []

    run(tmp_path, test)


def test_too_many_candidates_for_split_entities_are_refused(tmp_path: Path) -> None:
    async def test(here: Broker, there: Broker) -> None:
        batch = [room(n, b=n) for n in range(60)]
        await there.client.post("entityOperations/create", json=batch)
        await here.register(there.url)
        assert (await here.get("entities", type="Room", q="b>1")).status_code == 403
        one = await here.get("entities", type="Room", q="b>1", splitEntities="false")
        assert len(one.json()) == 20

    run(tmp_path, test, federation__max_candidates=20, federation__split_entities=True)


def test_expired_parts_and_wrong_entities_of_a_source_are_left_out(tmp_path: Path) -> None:
    async def test(here: Broker) -> None:
        old = room(1, a=1) | {"expiresAt": "2020-01-01T00:00:00Z"}
        wrong = {"id": "urn:ngsi-ld:Car:1", "type": "Car"}
        broken = room(3) | {"a": {"type": "Relationship", "object": 5}}
        async with odd(says([old, room(2, a=2), wrong, broken])) as source:
            await here.register(source.url)
            found = await here.get("entities", type="Room")
            assert found.json() == [room(2, a=2)]
            assert found.headers["ngsild-warning"].startswith("111 ")
            assert "Room:3" in found.headers["ngsild-warning"]

    run(tmp_path, test, 1)


def test_a_filter_of_sources_chooses_who_is_asked(tmp_path: Path) -> None:
    async def test(here: Broker) -> None:
        async with odd(says([room(1)])) as source, odd(says([room(2)])) as other:
            await here.register(source.url, region={"type": "Property", "value": "north"})
            await here.register(other.url)
            found = await here.get("entities", type="Room", csf='region=="north"')
            assert [one["id"] for one in found.json()] == [R1]
            assert other.asked == []

    run(tmp_path, test, 1)


def test_linked_entities_come_from_sources_too(tmp_path: Path) -> None:
    async def test(here: Broker, there: Broker) -> None:
        owner = {"type": "Relationship", "object": "urn:p:1", "objectType": "Person"}
        await here.create(room(1, owner=owner))
        await there.create({"id": "urn:p:1", "type": "Person", "name": "Eva"})
        await here.register(there.url, information=[{"entities": [{"type": "Person"}]}])
        found = await here.get(f"entities/{R1}", join="flat")
        assert [one["id"] for one in found.json()] == [R1, "urn:p:1"]

    run(tmp_path, test)


def test_an_entity_map_knows_which_sources_hold_an_entity(tmp_path: Path) -> None:
    async def test(here: Broker, there: Broker) -> None:
        await here.create(room(1, temperature=20))
        await there.create(room(1, humidity=40), room(2, humidity=50), room(3, humidity=60))
        source = await here.register(there.url)
        first = await here.get("entities", type="Room", entityMap="true", limit="2")
        assert (first.status_code, len(first.json())) == (201, 2)
        assert first.json()[0] == room(1, temperature=20, humidity=40)
        where = first.headers["ngsild-entitymap"]
        shown = (await here.get(f"entityMaps/{where.rpartition('/')[2]}")).json()
        assert shown["entityMap"] == {
            R1: ["@none", source],
            "urn:ngsi-ld:Room:2": [source],
            "urn:ngsi-ld:Room:3": [source],
        }
        linked = shown["linkedMaps"][source]
        assert (await there.get(f"entityMaps/{linked}")).status_code == 200
        await there.create(room(4))
        await there.client.delete("entities/urn:ngsi-ld:Room:2")
        rest = await here.client.get(
            "entities",
            params={"type": "Room", "limit": "2", "offset": "1"},
            headers={"NGSILD-EntityMap": where},
        )
        assert rest.status_code == 200
        assert rest.json() == [room(3, humidity=60)]
        ordered = await here.get("entities", type="Room", orderBy="id")
        assert ordered.status_code == 400
        assert (await here.get("entities", type="Room", orderBy="id", local="true")).json() == [
            room(1, temperature=20)
        ]

    run(tmp_path, test)


def test_a_source_s_own_map_goes_along_and_others_are_not_asked(tmp_path: Path) -> None:
    async def test(here: Broker) -> None:
        theirs = {"id": "urn:m:1", "type": "EntityMap", "entityMap": {R1: ["@none"]}}

        def respond(_: str, path: str, __: bytes) -> tuple[int, dict[str, str], bytes]:
            document = theirs if "/entityMaps?" in path else [room(1, a=1)]
            return 200, {}, json.dumps(document).encode()

        async with odd(respond) as source, odd(says([room(2, a=2)])) as other:
            await here.register(source.url)
            await here.register(other.url, operations=["retrieveOps"])
            made = await here.get("entities", type="Room", entityMap="true", limit="5")
            assert [one["id"] for one in made.json()] == [R1, "urn:ngsi-ld:Room:2"]
            assert [path.partition("?")[0] for _, path, _, _ in source.asked] == [
                "/ngsi-ld/v1/entityMaps", "/ngsi-ld/v1/entities",
            ]  # fmt: skip
            assert source.asked[1][2]["ngsild-entitymap"] == "urn:m:1"
            asked = len(other.asked)
            use = {"NGSILD-EntityMap": made.headers["ngsild-entitymap"]}
            one = await here.client.get(f"entities?type=Room&id={R1}", headers=use)
            assert [found["id"] for found in one.json()] == [R1]
            assert len(other.asked) == asked

    run(tmp_path, test, 1)


def test_a_retrieval_keeps_to_the_map_and_notes_the_maps_of_sources(tmp_path: Path) -> None:
    async def test(here: Broker) -> None:
        theirs = {"id": "urn:m:1", "type": "EntityMap", "entityMap": {R1: ["@none"]}}
        anew = {"NGSILD-EntityMap": "/ngsi-ld/v1/entityMaps/urn:m:2"}

        def respond(_: str, path: str, __: bytes) -> tuple[int, dict[str, str], bytes]:
            if "/entityMaps?" in path:
                return 201, {}, json.dumps(theirs).encode()
            one = room(1, a=1)
            return (
                200,
                anew,
                json.dumps(one if path.split("?", maxsplit=1)[0].endswith("1") else [one]).encode(),
            )

        async with odd(respond) as source, odd(says(room(1, b=2))) as other:
            mapped = await here.register(source.url)
            made = await here.get("entityMaps", type="Room")
            assert made.json()["entityMap"] == {R1: [mapped]}
            await here.register(other.url)
            use = {"NGSILD-EntityMap": made.headers["ngsild-entitymap"]}
            one = await here.client.get(f"entities/{R1}", headers=use)
            assert one.json() == room(1, a=1)
            assert one.headers["ngsild-entitymap"] == made.headers["ngsild-entitymap"]
            assert other.asked == []
            assert source.asked[-1][2]["ngsild-entitymap"] == "urn:m:1"
            where = made.headers["ngsild-entitymap"].rpartition("/")[2]
            assert (await here.get(f"entityMaps/{where}")).json()["linkedMaps"] == {
                mapped: "urn:m:2"
            }
            await here.client.get("entities?type=Room", headers=use)
            assert source.asked[-1][2]["ngsild-entitymap"] == "urn:m:2"
            missing = await here.client.get("entities/urn:ngsi-ld:Room:9", headers=use)
            assert missing.status_code == 404

    run(tmp_path, test, 1)


def test_more_ids_than_a_default_page_are_asked_for_at_once(tmp_path: Path) -> None:
    async def test(here: Broker, there: Broker) -> None:
        batch = [room(n, a=n) for n in range(60)]
        await there.client.post("entityOperations/create", json=batch)
        await here.register(there.url)
        made = await here.get("entities", type="Room", entityMap="true", count="true")
        assert len(made.json()) == 20
        assert made.headers["ngsild-results-count"] == "60"

    run(tmp_path, test)


def test_a_source_never_gets_a_token_of_ours(tmp_path: Path) -> None:
    async def test(here: Broker) -> None:
        async with odd(says([])) as source:
            names = ("Authorization", "X-Token")
            pairs = [{"key": name, "value": "urn:ngsi-ld:request"} for name in names]
            await here.register(source.url, contextSourceInfo=pairs)
            ours = here.engine.tokens.create("someone", ("read",))
            given = {"Authorization": f"Bearer {ours}", "X-Token": "of another service"}
            await here.client.get("entities?type=Room", headers=given)
            assert "authorization" not in source.asked[0][2]
            assert source.asked[0][2]["x-token"] == "of another service"

    run(tmp_path, test, 1)


def test_answers_are_used_again_for_as_long_as_the_registration_says(tmp_path: Path) -> None:
    async def test(here: Broker) -> None:
        async with odd(says([room(1, a=1)])) as source:
            operations = ["federationOps", "deleteEntity"]
            management = {"cacheDuration": "PT1H"}
            await here.register(source.url, management=management, operations=operations)
            first = await here.get("entities", type="Room")
            assert "ngsild-warning" not in first.headers
            again = await here.get("entities", type="Room")
            assert again.json() == first.json() == [room(1, a=1)]
            assert again.headers["ngsild-warning"].startswith("110 ")
            assert len(source.asked) == 1
            await here.get("entities", type="Room", q="a==1")
            assert len(source.asked) == 2
            await here.client.delete(f"entities/{R1}")
            await here.get("entities", type="Room")
            assert [method for method, *_ in source.asked] == ["GET", "GET", "DELETE", "GET"]

    run(tmp_path, test, 1)


def test_sources_that_hang_leave_room_for_the_others(tmp_path: Path) -> None:
    async def test(here: Broker) -> None:
        async with odd(says([]), delay=60) as dead, odd(says([room(1)])) as alive:
            slow = {"timeout": 10_000}
            info = [{"entities": [{"type": "Car"}]}]
            await here.register(dead.url, information=info, management=slow)
            await here.register(alive.url)
            hanging = [asyncio.create_task(here.get("entities", type="Car")) for _ in range(20)]
            await asyncio.sleep(0.1)
            assert (await here.get("entities", type="Room")).json() == [room(1)]
            assert not any(task.done() for task in hanging)
            for task in hanging:
                task.cancel()

    run(tmp_path, test, 1, federation__max_parallel=16)
