"""Writes whose parts other brokers hold (CIM 009 §4.3.6, §5.6.1 - §5.6.6, §5.6.17 - §5.6.19)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from .federation import REDIRECTION, Broker, odd, room, run, says

R1 = "urn:ngsi-ld:Room:1"
VOCAB = "https://uri.etsi.org/ngsi-ld/default-context/"
CONFLICT = "https://uri.etsi.org/ngsi-ld/errors/Conflict"


def holding(*names: str, one: bool = False) -> list[dict[str, Any]]:
    """The information of a registration about attributes of rooms (or of one room)."""
    entity = {"type": "Room"} | ({"id": R1} if one else {})
    return [{"entities": [entity]} | ({"propertyNames": list(names)} if names else {})]


def test_create_gives_each_its_part(tmp_path: Path) -> None:
    async def test(here: Broker, there: Broker, third: Broker) -> None:
        await here.register(
            there.url, information=holding("a", one=True), mode="exclusive", operations=REDIRECTION
        )
        await here.register(
            third.url, information=holding("b"), mode="redirect", operations=REDIRECTION
        )
        made = await here.client.post("entities", json=room(1, a=1, b=2, c=3))
        assert made.status_code == 201
        assert made.headers["location"].endswith(R1)
        assert await there.local(R1) == room(1, a=1)
        assert await third.local(R1) == room(1, b=2)
        assert await here.local(R1) == room(1, c=3)
        assert (await here.get(f"entities/{R1}")).json() == room(1, c=3, a=1, b=2)
        # Nothing is left to be held here.
        made = await here.client.post("entities", json=room(2, b=1))
        assert made.status_code == 201
        assert await here.local("urn:ngsi-ld:Room:2") is None

    run(tmp_path, test, 3)


def test_create_goes_to_inclusive_sources_too(tmp_path: Path) -> None:
    async def test(here: Broker, there: Broker) -> None:
        await here.register(there.url, operations=REDIRECTION)
        made = await here.client.post("entities", json=room(1, a=1))
        assert made.status_code == 201
        assert await there.local(R1) == await here.local(R1) == room(1, a=1)
        # Both have it now: the whole operation failed.
        again = await here.client.post("entities", json=room(1, a=2))
        assert again.status_code == 409
        # Only the source has it: partly done, with who failed and why.
        await there.create(room(2, a=1))
        partly = await here.client.post("entities", json=room(2, a=2))
        assert partly.status_code == 207
        assert partly.headers["location"].endswith("Room:2")
        body = partly.json()
        assert body["success"] == ["urn:ngsi-ld:Room:2"]
        (error,) = body["errors"]
        assert error["entityId"] == "urn:ngsi-ld:Room:2"
        assert error["registrationId"].startswith("urn:ngsi-ld:ContextSourceRegistration:")
        assert error["error"]["status"] == 409
        # And with local=true nobody else is told.
        await here.client.post("entities?local=true", json=room(3))
        assert await there.local("urn:ngsi-ld:Room:3") is None

    run(tmp_path, test)


def test_a_default_registration_takes_no_writes(tmp_path: Path) -> None:
    async def test(here: Broker, there: Broker) -> None:
        await here.register(there.url)
        await here.register(there.url, mode="auxiliary")
        assert (await here.client.post("entities", json=room(1, a=1))).status_code == 201
        assert await there.local(R1) is None
        assert (await here.client.delete(f"entities/{R1}")).status_code == 204

    run(tmp_path, test)


@pytest.mark.parametrize("mode", ["exclusive", "redirect"])
def test_what_a_proxied_source_does_not_take_is_a_conflict(tmp_path: Path, mode: str) -> None:
    async def test(here: Broker) -> None:
        async with odd(says({}, 204)) as source:
            await here.create(room(1, b=1))
            information = holding("a", one=mode == "exclusive")
            one = await here.register(
                source.url, information=information, mode=mode, operations=["retrieveOps"]
            )
            whole = await here.client.patch(f"entities/{R1}/attrs", json={"a": 1})
            assert whole.status_code == 409
            assert whole.json()["type"] == CONFLICT
            partly = await here.client.patch(f"entities/{R1}/attrs", json={"a": 1, "b": 2})
            assert partly.status_code == 207
            body = partly.json()
            assert body["updated"] == [VOCAB + "b"]
            assert body["notUpdated"][0]["attributeName"] == VOCAB + "a"
            assert body["notUpdated"][0]["registrationId"] == one
            for request in (
                here.client.patch(f"entities/{R1}/attrs/a", json={"value": 1}),
                here.client.put(f"entities/{R1}/attrs/a", json={"value": 1}),
                here.client.delete(f"entities/{R1}/attrs/a"),
                here.client.post(f"entities/{R1}/attrs", json={"a": 1}),
                here.client.patch(f"entities/{R1}", json={"a": 1}),
            ):
                assert (await request).status_code == 409
            gone = await here.client.delete(f"entities/{R1}")
            assert gone.status_code == 207
            assert gone.json()["errors"][0]["error"]["type"] == CONFLICT
            assert await here.local(R1) is None
            assert source.asked == []

    run(tmp_path, test, 1)


@pytest.mark.parametrize("mode", ["exclusive", "redirect", "inclusive"])
def test_every_write_on_one_entity_reaches_the_source(tmp_path: Path, mode: str) -> None:
    async def test(here: Broker, there: Broker) -> None:
        await there.create(room(1, a=1))
        await here.create(room(1, b=1))
        await here.register(
            there.url,
            information=holding("a", one=mode == "exclusive"),
            mode=mode,
            operations=REDIRECTION,
        )

        async def done(request: Any, here_is: Any, there_is: Any) -> None:
            answer = await request
            assert answer.status_code == 204, answer.text
            assert await here.local(R1) == here_is
            assert await there.local(R1) == there_is

        client, both = here.client, mode == "inclusive"
        kept = {"a": 2} if both else {}
        await done(
            client.patch(f"entities/{R1}/attrs", json={"a": 2, "b": 2}),
            room(1, b=2) | {k: room(1, **kept)[k] for k in kept},
            room(1, a=2),
        )
        await done(
            client.post(f"entities/{R1}/attrs", json={"a": 3}),
            room(1, b=2, **({"a": 3} if both else {})),
            room(1, a=3),
        )
        await done(
            client.patch(f"entities/{R1}/attrs/a", json={"value": 4}),
            room(1, b=2, **({"a": 4} if both else {})),
            room(1, a=4),
        )
        await done(
            client.put(f"entities/{R1}/attrs/a", json={"type": "Property", "value": 5}),
            room(1, b=2, **({"a": 5} if both else {})),
            room(1, a=5),
        )
        await done(
            client.patch(f"entities/{R1}", json={"a": {"value": 6}, "b": {"value": 3}}),
            room(1, b=3, **({"a": 6} if both else {})),
            room(1, a=6),
        )
        await done(
            client.put(f"entities/{R1}", json=room(1, a=7, b=4)),
            room(1, b=4, **({"a": 7} if both else {})),
            room(1, a=7),
        )
        await done(
            client.delete(f"entities/{R1}/attrs/a"), room(1, b=4), {"id": R1, "type": "Room"}
        )
        await done(client.delete(f"entities/{R1}"), None, None)
        missing = await client.delete(f"entities/{R1}")
        assert missing.status_code == 404

    run(tmp_path, test)


def test_an_entity_that_only_a_source_has_is_written_there(tmp_path: Path) -> None:
    async def test(here: Broker, there: Broker) -> None:
        await there.create(room(1, a=1))
        await here.register(there.url, operations=REDIRECTION)
        for request in (
            here.client.patch(f"entities/{R1}/attrs", json={"a": 2}),
            here.client.patch(f"entities/{R1}/attrs/a", json={"value": 3}),
        ):
            assert (await request).status_code == 204
        assert await there.local(R1) == room(1, a=3)
        assert await here.local(R1) is None
        # Nobody has that attribute.
        gone = await here.client.delete(f"entities/{R1}/attrs/z")
        assert gone.status_code == 404
        assert (await here.client.patch("entities/urn:x:9/attrs", json={"a": 1})).status_code == 404

    run(tmp_path, test)


def test_attributes_that_nobody_can_take_are_told(tmp_path: Path) -> None:
    async def test(here: Broker, there: Broker) -> None:
        await there.create(room(1, a=1))
        await here.register(
            there.url, information=holding("a"), mode="redirect", operations=REDIRECTION
        )
        partly = await here.client.post(f"entities/{R1}/attrs", json={"a": 2, "b": 2})
        assert partly.status_code == 207
        assert partly.json()["updated"] == [VOCAB + "a"]
        assert partly.json()["notUpdated"][0]["attributeName"] == VOCAB + "b"

    run(tmp_path, test)


def test_an_append_that_must_not_overwrite_tells_what_stayed(tmp_path: Path) -> None:
    async def test(here: Broker, there: Broker) -> None:
        await there.create(room(1, a=1))
        await here.create(room(1, b=1))
        await here.register(
            there.url, information=holding("a", "c"), mode="redirect", operations=REDIRECTION
        )
        partly = await here.client.post(
            f"entities/{R1}/attrs?options=noOverwrite", json={"a": 2, "b": 2, "c": 2}
        )
        assert partly.status_code == 207
        body = partly.json()
        assert body["updated"] == [VOCAB + "c"]
        assert {one["attributeName"] for one in body["notUpdated"]} == {VOCAB + "a", VOCAB + "b"}

    run(tmp_path, test)


def test_the_failure_of_a_single_source_has_its_status(tmp_path: Path) -> None:
    async def test(here: Broker) -> None:
        async def patched(status: int, delay: float = 0) -> httpx.Response:
            async with odd(says({"title": "Oh", "detail": "dear"}, status), delay) as source:
                one = await here.register(
                    source.url, mode="redirect", operations=REDIRECTION, management={"timeout": 200}
                )
                answer = await here.client.patch(f"entities/{R1}/attrs", json={"a": 1})
                await here.client.delete(f"csourceRegistrations/{one}")
                return answer

        for status, ours in ((404, 404), (403, 502), (500, 502), (508, 508), (400, 502)):
            answer = await patched(status)
            assert answer.status_code == ours
            assert "dear" in answer.json()["detail"]
        assert (await patched(204, delay=0.5)).status_code == 504
        one = await here.register("http://127.0.0.1:1", mode="redirect", operations=REDIRECTION)
        answer = await here.client.patch(f"entities/{R1}/attrs", json={"a": 1})
        assert answer.status_code == 502
        assert one in answer.json()["detail"]

    run(tmp_path, test, 1)


def test_a_redirect_to_ourselves_is_a_loop(tmp_path: Path) -> None:
    async def test(here: Broker) -> None:
        document = {
            "type": "ContextSourceRegistration",
            "endpoint": here.url,
            "mode": "redirect",
            "information": [{"entities": [{"type": "Room"}]}],
            "operations": REDIRECTION,
        }
        for url in (here.url, f"{here.url.replace('127.0.0.1', 'localhost')}/ngsi-ld/v1/"):
            own = await here.client.post("csourceRegistrations", json=document | {"endpoint": url})
            assert own.status_code == 400
            assert "is this service itself" in own.json()["detail"]
        one = await here.register(here.url)
        own = await here.client.patch(f"csourceRegistrations/{one}", json={"mode": "redirect"})
        assert own.status_code == 400
        # Another tenant is another source; and by another name it shows when it is asked.
        other = {"tenant": "elsewhere", "information": [{"entities": [{"type": "Hall"}]}]}
        made = await here.client.post("csourceRegistrations", json=document | other)
        assert made.status_code == 201
        named = {"Host": "city.example"}
        made = await here.client.post("csourceRegistrations", json=document, headers=named)
        assert made.status_code == 201
        assert (await here.client.post("entities", json=room(1))).status_code == 508
        assert await here.local(R1) is None
        assert (await here.client.delete(f"entities/{R1}")).status_code == 508

    run(tmp_path, test, 1)


def test_of_several_sources_one_may_fail(tmp_path: Path) -> None:
    async def test(here: Broker, there: Broker) -> None:
        async with odd(says({"title": "no"}, 403)) as source:
            await here.register(there.url, mode="redirect", operations=REDIRECTION)
            bad = await here.register(source.url, mode="redirect", operations=REDIRECTION)
            partly = await here.client.post("entities", json=room(1, a=1))
            assert partly.status_code == 207
            body = partly.json()
            assert body["success"] == [R1]
            assert [one["registrationId"] for one in body["errors"]] == [bad]
            assert await there.local(R1) == room(1, a=1)
            assert await here.local(R1) is None

    run(tmp_path, test)


def test_names_on_the_wire(tmp_path: Path) -> None:
    async def test(here: Broker) -> None:
        own = {"@context": {"Zimmer": VOCAB + "Room", "Wert": VOCAB + "a", "Sub": VOCAB + "s"}}
        async with odd(says({}, 204)) as source, odd(says(own)) as contexts:
            pairs = [{"key": "jsonldContext", "value": contexts.url}]
            one = await here.register(
                source.url, mode="redirect", operations=REDIRECTION, contextSourceInfo=pairs
            )
            body = room(1, a={"type": "Property", "value": {"a": 1}, "s": {"value": "a"}})
            body |= {"@context": {"x": "https://x.test/"}}
            ld = {"Content-Type": "application/ld+json"}
            await here.client.post("entities", json=body, headers=ld)
            method, path, headers, sent = source.asked[-1]
            assert (method, path) == ("POST", "/ngsi-ld/v1/entities")
            assert headers["content-type"] == "application/json"
            assert contexts.url in headers["link"]
            assert sent == {
                "id": R1, "type": "Zimmer",
                "Wert": {"type": "Property", "value": {"a": 1}, "Sub": {"value": "a"}},
            }  # fmt: skip
            await here.client.patch(f"entities/{R1}/attrs/a?type=Room", json={"s": {"value": 1}})
            _, path, _, sent = source.asked[-1]
            assert path == f"/ngsi-ld/v1/entities/{R1}/attrs/Wert?type=Zimmer"
            assert sent == {"Sub": {"value": 1}}
            await here.client.delete(f"csourceRegistrations/{one}")

            pairs = [{"key": "contentType", "value": "application/ld+json"}]
            one = await here.register(
                source.url, mode="redirect", operations=REDIRECTION, contextSourceInfo=pairs
            )
            await here.client.post("entities", json=room(1, a=1))
            _, _, headers, sent = source.asked[-1]
            assert headers["content-type"] == "application/ld+json"
            assert "link" not in headers
            assert "@context" in sent
            await here.client.delete(f"csourceRegistrations/{one}")

            pairs = [{"key": "ngsildConformance", "value": "1.3"}]
            await here.register(
                source.url, mode="redirect", operations=REDIRECTION, contextSourceInfo=pairs
            )
            newer = room(
                1,
                a={"type": "LanguageProperty", "languageMap": {"en": "x"}},
                b={"type": "ListRelationship", "objectList": [{"object": "urn:x:1"}]},
                c={"type": "Property", "value": 1, "valueType": "Date", "unitCode": "C"},
            ) | {"scope": "/a", "expiresAt": "2999-01-01T00:00:00Z"}
            await here.client.post("entities", json=newer)
            assert source.asked[-1][3] == room(
                1,
                a={"type": "Property", "value": {"en": "x"}},
                b={"type": "Relationship", "object": ["urn:x:1"]},
                c={"type": "Property", "value": 1, "unitCode": "C"},
            )

    run(tmp_path, test, 1)


def test_types_and_parameters_keep_to_the_registration(tmp_path: Path) -> None:
    async def test(here: Broker) -> None:
        async with odd(says({}, 204)) as source:
            await here.register(source.url, operations=REDIRECTION)
            await here.client.post("entities", json=room(1, a=1) | {"type": ["Room", "Lab"]})
            assert source.asked[-1][3]["type"] == "Room"
            await here.client.patch(
                f"entities/{R1}?observedAt=2026-01-01T00:00:00Z&lang=de&local=false",
                json={"a": 1},
            )
            assert source.asked[-1][1].endswith("?observedAt=2026-01-01T00:00:00Z&lang=de")
            # An entity held here of another type is none of the source's.
            asked = len(source.asked)
            await here.client.post("entities", json={"id": "urn:x:1", "type": "Car", "a": 1})
            await here.client.patch("entities/urn:x:1/attrs", json={"a": 1})
            await here.client.delete("entities/urn:x:1")
            assert len(source.asked) == asked
            # Of another type than the entity held here.
            wrong = await here.client.delete(f"entities/{R1}?type=Car")
            assert wrong.status_code == 404

    run(tmp_path, test, 1)
