"""Each kind of attribute, in and out, in each representation (CIM 009 §4.5.2 - §4.5.24, §5.2.5 ff.)."""

from __future__ import annotations

from typing import Any, Final

import httpx
import pytest

from rynek.app import Engine

from .conftest import Serve

NULL: Final = "urn:ngsi-ld:null"
ID: Final = "urn:ngsi-ld:Thing:1"
AT: Final = f"entities/{ID}"
POINT: Final = {"type": "Point", "coordinates": [16.92, 52.41]}
R1, R2 = "urn:ngsi-ld:Thing:2", "urn:ngsi-ld:Thing:3"
TIME: Final = "2026-11-22T10:00:00Z"

# name → (normalized, concise, simplified): what comes out of each, and each may come in.
FORMS: Final[dict[str, tuple[Any, Any, Any]]] = {
    "number": ({"type": "Property", "value": 5.5}, 5.5, 5.5),
    "flag": ({"type": "Property", "value": False}, False, False),
    "empty": ({"type": "Property", "value": ""}, "", ""),
    "list": ({"type": "Property", "value": [1, "a", {"b": 2}]}, [1, "a", {"b": 2}],
             [1, "a", {"b": 2}]),
    "object": ({"type": "Property", "value": {"street": "Długa", "no": 5}},
               {"street": "Długa", "no": 5}, {"street": "Długa", "no": 5}),
    "typed": ({"type": "Property", "value": {"@type": "Date", "@value": "2026-11-22"}},
              {"@type": "Date", "@value": "2026-11-22"},
              {"@type": "Date", "@value": "2026-11-22"}),
    "odd": ({"type": "Property", "value": {"type": "Point"}}, {"value": {"type": "Point"}},
            {"type": "Point"}),
    "literal": ({"type": "Property", "value": {"@type": "@json", "@value": None}},
                {"@type": "@json", "@value": None}, {"@type": "@json", "@value": None}),
    "full": ({"type": "Property", "value": 5, "unitCode": "KMH", "observedAt": TIME,
              "valueType": "Time",
              "sure": {"type": "Property", "value": 0.5},
              "by": {"type": "Relationship", "object": R1}},
             {"value": 5, "unitCode": "KMH", "observedAt": TIME,
              "valueType": "Time", "sure": 0.5,
              "by": {"object": R1}},
             5),
    "place": ({"type": "GeoProperty", "value": POINT}, POINT, POINT),
    "seen": ({"type": "GeoProperty", "value": POINT, "observedAt": TIME},
             {"value": POINT, "observedAt": TIME}, POINT),
    "link": ({"type": "Relationship", "object": R1}, {"object": R1}, R1),
    "links": ({"type": "Relationship", "object": [R1, R2], "objectType": "Thing"},
              {"object": [R1, R2], "objectType": "Thing"}, [R1, R2]),
    "name": ({"type": "LanguageProperty", "languageMap": {"en": "bin", "pl": ["kosz", "pojemnik"]},
              "valueType": "langString"},
             {"languageMap": {"en": "bin", "pl": ["kosz", "pojemnik"]}, "valueType": "langString"},
             {"languageMap": {"en": "bin", "pl": ["kosz", "pojemnik"]}}),
    "word": ({"type": "VocabProperty", "vocab": "bus"}, {"vocab": "bus"}, {"vocab": "bus"}),
    "words": ({"type": "VocabProperty", "vocab": ["bus", "24/7"]}, {"vocab": ["bus", "24/7"]},
              {"vocab": ["bus", "24/7"]}),
    "raw": ({"type": "JsonProperty", "json": {"id": 1, "value": None, "type": "x", "n": NULL}},
            {"json": {"id": 1, "value": None, "type": "x", "n": NULL}},
            {"json": {"id": 1, "value": None, "type": "x", "n": NULL}}),
    "raws": ({"type": "JsonProperty", "json": [{"a": 1}]}, {"json": [{"a": 1}]},
             {"json": [{"a": 1}]}),
    "path": ({"type": "ListProperty", "valueList": [1, [2], {"a": 3}]},
             {"valueList": [1, [2], {"a": 3}]}, [1, [2], {"a": 3}]),
    "route": ({"type": "ListRelationship", "objectList": [{"object": R1}, {"object": R2}],
               "objectType": ["Thing", "Stop"]},
              {"objectList": [R1, R2], "objectType": ["Thing", "Stop"]},
              [R1, R2]),
    "several": ([{"type": "Property", "value": 1},
                 {"type": "Property", "value": 2, "datasetId": "urn:d:1"}],
                [{"value": 1}, {"value": 2, "datasetId": "urn:d:1"}],
                {"dataset": {"@none": 1, "urn:d:1": 2}}),
    "other": ({"type": "Property", "value": 2, "datasetId": "urn:d:1"},
              {"value": 2, "datasetId": "urn:d:1"}, {"dataset": {"urn:d:1": 2}}),
    "ngsildproof": ({"type": "Property", "value": {"type": "DataIntegrityProof"},
                     "entityIdSealed": ID, "entityTypeSealed": "Thing"},
                    {"value": {"type": "DataIntegrityProof"}, "entityIdSealed": ID,
                     "entityTypeSealed": "Thing"},
                    {"type": "DataIntegrityProof"}),
}  # fmt: skip


def thing(**attrs: Any) -> dict[str, Any]:
    return {"id": ID, "type": "Thing"} | attrs


def form(number: int) -> dict[str, Any]:
    return thing(**{name: forms[number] for name, forms in FORMS.items()})


@pytest.mark.parametrize("number", [0, 1], ids=["normalized", "concise"])
def test_every_kind_comes_in_and_out_in_each_form(serve: Serve, number: int) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        created = await client.post("entities", json=form(number))
        assert created.status_code == 201, created.text
        for wanted, query in enumerate(("", "?format=concise", "?format=simplified")):
            got = (await client.get(AT + query)).json()
            for name, expected in form(wanted).items():
                assert got[name] == expected, (name, query)
            assert got.keys() == form(wanted).keys()
        assert (await client.get(AT + "?options=keyValues")).json() == form(2)

    serve(test)


def test_a_simplified_body_appends_what_it_can_tell(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        await client.post("entities", json=thing())
        body = {name: forms[2] for name, forms in FORMS.items()}
        refused = await client.post(f"{AT}/attrs", json=body)
        assert refused.status_code == 400  # "type": "DataIntegrityProof" is no kind of attribute
        appended = await client.post(f"{AT}/attrs?options=keyValues", json=body)
        assert appended.status_code == 204, appended.text
        assert (await client.get(AT + "?format=simplified")).json() == form(2)
        kinds = (await client.get(AT)).json()
        assert kinds["link"] == {"type": "Property", "value": R1}  # nothing tells it from a text
        assert kinds["name"]["type"] == "LanguageProperty"
        assert kinds["place"]["type"] == "GeoProperty"

    serve(test)


CONTEXT: Final = [
    {"ex": "https://example.org/", "Thing": "ex:Thing", "bus": "ex:vehicles#bus"},
    {"number": "ex:number", "sure": {"@id": "ex:sure", "@type": "DateTime"},
     "word": {"@id": "ex:word", "@type": "@vocab"}, "link": {"@id": "ex:link", "@type": "@id"}},
]  # fmt: skip


def test_names_follow_the_context_of_each_request(serve: Serve) -> None:
    """§5.5.7: expanded with the @context of the write, compacted with that of the read."""

    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        headers = {"content-type": "application/ld+json"}
        body = form(0) | {"@context": CONTEXT}
        created = await client.post("entities", json=body, headers=headers)
        assert created.status_code == 201, created.text
        plain = (await client.get(AT)).json()
        assert plain["type"] == "https://example.org/Thing"
        assert plain["https://example.org/word"]["vocab"] == "https://example.org/vehicles#bus"
        assert plain["full"]["https://example.org/sure"]["value"] == 0.5
        assert plain["links"]["objectType"] == "https://example.org/Thing"
        assert plain["ngsildproof"]["entityTypeSealed"] == "https://example.org/Thing"
        merged = {"@context": CONTEXT, "number": 6, "bus:x": 1}
        assert (await client.patch(AT, json=merged, headers=headers)).status_code == 204
        again = (await client.get(AT)).json()
        assert again["https://example.org/number"]["value"] == 6
        assert "number" not in again

    serve(test)


def test_type_and_id_may_have_an_at_sign(serve: Serve) -> None:
    """§4.4: @id and @type are synonyms in requests, never in answers."""

    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        body = {
            "@id": ID,
            "@type": "Thing",
            "a": {"@type": "Property", "value": 1},
            "b": {"@type": "Relationship", "object": R1},
            "c": [{"@type": "Property", "value": 1},
                  {"@type": "Property", "value": 2, "datasetId": "urn:d:1"}],
            "d": {"type": "Property", "@type": "Property", "value": 1},
        }  # fmt: skip
        assert (await client.post("entities", json=body)).status_code == 201
        got = (await client.get(AT)).json()
        assert (got["id"], got["type"]) == (ID, "Thing")
        assert got["a"] == got["d"] == {"type": "Property", "value": 1}
        assert got["b"] == {"type": "Relationship", "object": R1}
        assert len(got["c"]) == 2
        assert (await client.patch(AT, json={"@id": ID, "a": 2})).status_code == 204
        for wrong in (
            {"@id": R1, "a": 1},
            {"id": ID, "@id": R1},
            {"type": "Thing", "@type": "Other"},
            {"a": {"type": "Property", "@type": "Relationship", "value": 1}},
        ):
            answer = await client.patch(AT, json=wrong)
            assert answer.status_code == 400, wrong
        batch = [{"@id": ID, "@type": "Thing", "a": 3}]
        assert (await client.post("entityOperations/upsert", json=batch)).status_code == 204

    serve(test)


# What an instance may not have, by kind: each is refused, with the member's name in the detail.
SOUND: Final[dict[str, dict[str, Any]]] = {
    "Property": {"value": 1},
    "GeoProperty": {"value": POINT},
    "Relationship": {"object": R1},
    "LanguageProperty": {"languageMap": {"en": "x"}},
    "VocabProperty": {"vocab": "x"},
    "JsonProperty": {"json": {}},
    "ListProperty": {"valueList": []},
    "ListRelationship": {"objectList": []},
}
VALUES: Final = {name: member for members in SOUND.values() for name, member in members.items()}
PREVIOUS: Final = {
    "previousValue": ("Property", "GeoProperty"),
    "previousObject": ("Relationship",),
    "previousLanguageMap": ("LanguageProperty",),
    "previousVocab": ("VocabProperty",),
    "previousJson": ("JsonProperty",),
    "previousValueList": ("ListProperty",),
    "previousObjectList": ("ListRelationship",),
    "entity": ("Relationship",),
    "entityList": ("ListRelationship",),
}
UNITLESS: Final = {"Relationship", "ListRelationship", "LanguageProperty", "VocabProperty",
                   "JsonProperty"}  # fmt: skip


def test_members_that_a_kind_may_not_have_are_refused(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        for kind, sound in SOUND.items():
            prohibited: dict[str, Any] = {
                name: value for name, value in VALUES.items() if name not in sound
            }
            prohibited |= {name: {} for name, kinds in PREVIOUS.items() if kind not in kinds}
            prohibited |= {"entityIdSealed": ID, "entityTypeSealed": "Thing", "dataset": {}}
            prohibited |= {"@context": {}}
            if kind in UNITLESS:
                prohibited["unitCode"] = "KMH"
            if "Relationship" in kind:
                prohibited["valueType"] = "Time"
            else:
                prohibited["objectType"] = "Thing"
            for name, value in prohibited.items():
                for body in ({"type": kind, **sound, name: value}, {**sound, name: value}):
                    if name in VALUES and "type" not in body:
                        continue  # two value members and no type: nobody knows what is meant
                    answer = await client.post("entities", json=thing(a=body))
                    assert answer.status_code == 400, (kind, name, body)
                    problem = answer.json()
                    assert problem["type"].endswith("/BadRequestData")
                    assert name.strip("@") in problem["detail"], (kind, name, problem)
                    assert problem["detail"].startswith("a: "), problem

    serve(test)


def test_output_only_members_are_ignored(serve: Serve) -> None:
    """§5.2.2, Table 5.2.5-2 and siblings: in a request they are read over."""

    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        system = {"createdAt": "1999-01-01T00:00:00Z", "modifiedAt": 5, "deletedAt": "x"}
        attrs = {
            f"a{number}": {"type": kind, **sound, **system, "instanceId": "no uri"}
            | {name: NULL for name, kinds in PREVIOUS.items() if kind in kinds}
            for number, (kind, sound) in enumerate(SOUND.items())
        }
        created = await client.post("entities", json=thing(**attrs, **system))
        assert created.status_code == 201, created.text
        got = (await client.get(AT + "?options=sysAttrs")).json()
        assert got["createdAt"] > "2020"
        for number, (kind, sound) in enumerate(SOUND.items()):
            one = got[f"a{number}"]
            assert one.pop("createdAt") == one.pop("modifiedAt") == got["createdAt"]
            assert one == {"type": kind, **sound}
        assert "createdAt" not in (await client.get(AT)).text  # only where it is asked for

    serve(test)


WRONG_VALUES: Final[list[Any]] = [
    {"type": "Property"},
    {"type": "Property", "value": None},
    {"type": "GeoProperty", "value": "here"},
    {"type": "GeoProperty", "value": "{}"},
    {"type": "GeoProperty", "value": {"type": "GeometryCollection", "geometries": []}},
    {"type": "GeoProperty", "value": {"type": "Point"}},
    {"type": "GeoProperty", "value": {"type": "Point", "coordinates": ["16", 52]}},
    {"type": "GeoProperty", "value": {"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [0, 0]]]}},
    {"type": "Relationship", "object": "no uri"},
    {"type": "Relationship", "object": []},
    {"type": "Relationship", "object": {"object": R1}},
    {"type": "Relationship", "object": [R1, 5]},
    {"type": "LanguageProperty", "languageMap": {}},
    {"type": "LanguageProperty", "languageMap": "bin"},
    {"type": "LanguageProperty", "languageMap": {"": "bin"}},
    {"type": "LanguageProperty", "languageMap": {"not a tag": "bin"}},
    {"type": "LanguageProperty", "languageMap": {"en": ["bin", 5]}},
    {"type": "LanguageProperty", "languageMap": {"en": "bin"}, "valueType": "Time"},
    {"type": "VocabProperty", "vocab": 5},
    {"type": "VocabProperty", "vocab": []},
    {"type": "VocabProperty", "vocab": {"a": "b"}},
    {"type": "JsonProperty", "json": "text"},
    {"type": "JsonProperty", "json": None},
    {"type": "JsonProperty", "json": 5},
    {"type": "ListProperty", "valueList": "x"},
    {"type": "ListRelationship", "objectList": R1},
    {"type": "ListRelationship", "objectList": [{"object": R1, "more": 1}]},
    {"type": "ListRelationship", "objectList": [{"object": "no uri"}]},
    {"type": "Propertty", "value": 1},
    {"type": ["Property"], "value": 1},
    {"type": "Thing"},
    {"type": "Property", "value": 1, "observedAt": None},
    {"type": "Property", "value": 1, "unitCode": 5},
    {"type": "Property", "value": 1, "unitCode": ""},
    {"type": "Property", "value": 1, "datasetId": "d"},
    {"type": "Property", "value": 1, "valueType": 5},
    {"type": "Relationship", "object": R1, "objectType": []},
    {"type": "Property", "value": 1, "sub": {"type": "Property"}},
    {"type": "Property", "value": 1, "sub": None},
    {"type": "Property", "value": 1, "scope": "/a"},
    [{"type": "Property", "value": 1}, {"type": "Propertty", "value": 1}],
    [{"type": "Property", "value": 1}, {"type": "Property", "value": 2}],
    [{"type": "Property", "value": 1}, {"type": "Property", "value": 2, "datasetId": "@none"}],
    [{"type": "Property", "value": 1}, {"type": "Relationship", "object": R1, "datasetId": "urn:d:1"}],
    [{"type": "Property", "value": 1}, 5],
    {"dataset": {"no uri": 1}},
    {"dataset": {}},
    {"@context": {}, "street": "x"},
]  # fmt: skip


def test_what_is_no_attribute_is_bad_request_data(serve: Serve) -> None:
    async def test(client: httpx.AsyncClient, _: Engine) -> None:
        await client.post("entities", json=thing(a=1))
        for raw in WRONG_VALUES:
            for method, path, body in (
                ("POST", "entities", thing(id=R1, a=raw)),
                ("POST", f"{AT}/attrs", {"a": raw}),
                ("PATCH", f"{AT}/attrs", {"a": raw}),
                ("PUT", AT, thing(a=raw)),
                ("PUT", f"{AT}/attrs/a", raw),
            ):
                if method == "PUT" and path.endswith("/a") and not isinstance(raw, dict):
                    continue
                answer = await client.request(method, path, json=body)
                assert answer.status_code == 400, (method, path, raw)
                problem = answer.json()
                assert problem["type"] == "https://uri.etsi.org/ngsi-ld/errors/BadRequestData"
                assert problem["detail"].startswith("a"), (raw, problem)
        assert (await client.get(AT)).json() == thing(a={"type": "Property", "value": 1})

    serve(test)
