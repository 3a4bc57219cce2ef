"""The operators of clause 4.9, each with the clause's own examples where it has one."""

from __future__ import annotations

from typing import Any

import pytest

from rynek.base.clock import parse_iso
from rynek.context.model import Entity, Instance
from rynek.context.query import compile_q, parse_q


def expand(name: str) -> str:
    return f"https://example.org/{name}"


def entity(**attrs: Any) -> Entity:
    """Plain values become Properties; lists of Instances stay."""
    found = {}
    for name, value in attrs.items():
        many = value if isinstance(value, list) and isinstance(value[0], Instance) else [value]
        found[expand(name)] = [
            one if isinstance(one, Instance) else Instance("Property", one) for one in many
        ]
    return Entity("urn:ngsi-ld:T:1", [expand("T")], found)


def holds(text: str, **attrs: Any) -> bool:
    return compile_q(parse_q(text, expand))(entity(**attrs))


@pytest.mark.parametrize(
    ("text", "value", "expected"),
    [
        ('a=="red"', "red", True),
        ('a=="red"', "RED", False),
        ('a=="red"', ["blue", "red", "green"], True),
        ('a=="red"', ["blue"], False),
        ('a=="black","red"', "red", True),
        ('a=="black","red"', ["red", "blue"], True),
        ('a=="black","red"', "blue", False),
        ("a==10..20", 15, True),
        ("a==10..20", 10, True),
        ("a==10..20", 20.0, True),
        ("a==10..20", 20.1, False),
        ("a==10..20", "15", False),
        ("a==10..20", [15], False),
        ('a=="a".."c"', "b", True),
        ("a==1", True, False),
        ("a==true", 1, False),
        ("a==true", True, True),
        ("a==1", 1.0, True),
        ("a==1", "1", False),
        ('a=="1"', 1, False),
        ("a==1,true", True, True),
        ('a!="red"', "black", True),
        ('a!="red"', "red", False),
        ('a!="red"', ["blue", "black"], True),
        ('a!="red"', ["blue", "red"], False),
        ('a!="red"', 5, True),
        ('a!="black","red"', "blue", True),
        ('a!="black","red"', ["yellow", "red"], False),
        ("a!=10..20", 9, True),
        ("a!=10..20", 15, False),
        ("a!=10..20", "x", True),
        ("a>5", 6, True),
        ("a>5", 5, False),
        ("a>5", "6", False),
        ("a>5", True, False),
        ("a>5", [6], False),
        ("a>=5", 5, True),
        ("a>=5", [5], True),
        ("a>=5", [6], False),
        ("a<5", 4.9, True),
        ("a<=5", 5, True),
        ('a<"b"', "a", True),
        ('a<"b"', 1, False),
        ('a~="^Merc"', "Mercedes", True),
        ('a~="ced"', "Mercedes", True),
        ('a~="^Merc$"', "Mercedes", False),
        ('a~="^Merc"', 7, False),
        ('a~="^Merc"', ["Mercedes"], False),
        ('a!~="^Merc"', "Volvo", True),
        ('a!~="^Merc"', "Mercedes", False),
        ('a!~="^Merc"', 7, False),
        ('a~="ż$"', "weż", True),
        ("a", {"x": 1}, True),
        ("b", 1, False),
        ("b!=1", 1, False),
        ('b!~="x"', "y", False),
        ("a==urn:x:1", "urn:x:1", True),
    ],
)
def test_operators(text: str, value: Any, expected: bool) -> None:
    assert holds(text, a=value) is expected


def test_logic() -> None:
    car = {"speed": 60, "rpm": 2000, "brand": "Mercedes"}
    assert holds('((speed>50|rpm>3000);brand=="Mercedes")', **car)
    assert not holds('speed>70|rpm>3000;brand=="Mercedes"', **car)
    assert holds('speed>50|rpm>3000;brand=="Volvo"', **car)
    assert not holds('(speed>50|rpm>3000);brand=="Volvo"', **car)


MOMENT = "2026-11-22T10:00:00Z"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a==2026-11-22T10:00:00Z", True),
        ("a==2026-11-22T12:00:00+02:00", True),
        ("a>=2026-11-22T09:59:59.999Z", True),
        ("a<2026-11-22T10:00:00Z", False),
        ("a==2026-11-01T00:00:00Z..2026-12-01T00:00:00Z", True),
        ('a=="2026-11-22T10:00:00Z"', True),
        ("a==2026-11-22", False),
    ],
)
@pytest.mark.parametrize(
    "target",
    [
        MOMENT,
        {"@type": "DateTime", "@value": MOMENT},
        {"@type": "https://uri.etsi.org/ngsi-ld/DateTime", "@value": MOMENT},
        Instance("Property", MOMENT, value_type="DateTime"),
        Instance("Property", [MOMENT], value_type="DateTime"),
    ],
)
def test_date_times(text: str, expected: bool, target: Any) -> None:
    listed = isinstance(target, Instance) and isinstance(target.value, list)
    if listed and (".." in text or "<2" in text):
        expected = False
    if listed and ">=" in text:
        expected = False  # no element is equal, and an array has no order
    assert holds(text, a=target) is expected


def test_quoted_date_time_is_text_among_texts_and_time_among_times() -> None:
    late = "2026-11-22T11:00:00+01:00"  # the same moment, another text
    assert not holds(f'a=="{late}"', a=MOMENT)
    assert holds(f"a=={late}", a=MOMENT)
    assert holds(f'a=="{late}"', a={"@type": "DateTime", "@value": MOMENT})
    assert holds(f'a.observedAt=="{late}"', a=Instance("Property", 1, observed_at=MOMENT))
    assert not holds('a~="2026"', a={"@type": "DateTime", "@value": MOMENT})


def test_dates_and_times() -> None:
    assert holds("a>2026-01-31", a={"@type": "Date", "@value": "2026-02-01"})
    assert holds("a==2026-02-01", a="2026-02-01")
    assert not holds("a==2026-02-01", a="2026-02-01T00:00:00Z")
    assert holds("a<12:00:00.5Z", a={"@type": "Time", "@value": "12:00:00Z"})
    assert holds("a==12:00:00Z", a=Instance("Property", "12:00:00.000Z", value_type="Time"))
    assert not holds("a>12:00:00Z", a="nonsense")


def test_members_beside_the_value() -> None:
    made = parse_iso(MOMENT)
    speed = Instance(
        "Property",
        5,
        dataset_id="urn:d:1",
        observed_at="2017-12-24T12:00:00Z",
        unit_code="KMH",
        created_at=made,
        modified_at=made + 1,
    )
    assert holds("speed.observedAt>=2017-12-24T12:00:00Z", speed=speed)
    assert not holds("speed.observedAt>2017-12-24T12:00:00Z", speed=speed)
    assert holds('speed.unitCode=="KMH"', speed=speed)
    assert holds("speed.datasetId==urn:d:1", speed=speed)
    assert holds("speed.createdAt==2026-11-22T10:00:00Z", speed=speed)
    assert holds("speed.modifiedAt>2026-11-22T10:00:00Z", speed=speed)
    assert holds("speed.unitCode", speed=speed)
    assert not holds("speed.unitCode", speed=5)
    assert not holds("speed.observedAt", speed=5)
    assert holds(
        "rel.observedAt>2017-01-01T00:00:00Z",
        rel=Instance("Relationship", "urn:x:1", observed_at="2017-12-24T12:00:00Z"),
    )


def test_times_of_the_entity() -> None:
    one = Entity("urn:x:1", [], {}, created_at=parse_iso(MOMENT), expires_at="2030-01-01T00:00:00Z")
    for text, expected in [
        ("createdAt==2026-11-22T10:00:00Z", True),
        ("createdAt<2026-11-22T10:00:00Z", False),
        ("modifiedAt", False),
        ("expiresAt>2029-01-01T00:00:00Z", True),
        ("createdAt[x]", False),
    ]:
        assert compile_q(parse_q(text, expand))(one) is expected, text


def test_sub_attributes() -> None:
    sensor = Instance(
        "Property",
        40,
        subs={
            expand("rawdata"): [Instance("Property", {"airquality": {"particulate": 40}})],
            expand("by"): [
                Instance(
                    "Relationship",
                    "urn:p:1",
                    subs={expand("trust"): [Instance("Property", 0.5, observed_at=MOMENT)]},
                )
            ],
        },
    )
    assert holds("sensor.rawdata[airquality.particulate]==40", sensor=sensor)
    assert not holds("sensor.rawdata[airquality.PM20]", sensor=sensor)
    assert holds("sensor.by.trust>0.4", sensor=sensor)
    assert holds("sensor.by.trust.observedAt<2027-01-01T00:00:00Z", sensor=sensor)
    assert holds("sensor.by==urn:p:1", sensor=sensor)
    assert not holds("sensor.none", sensor=sensor)
    assert not holds("sensor.by", sensor=40)


def test_compound_values() -> None:
    address = {"city": "Berlin", "tags": ["a", "b"], "empty": None}
    assert holds('address[city]=="Berlin"', address=address)
    assert holds('address[tags]=="b"', address=address)
    assert holds("address[empty]", address=address)
    assert not holds("address[city.name]", address=address)
    assert not holds('address[zip]!="1"', address=address)
    assert not holds("address[tags.length]", address=address)
    ticket = Instance("JsonProperty", {"id": "85a", "value": "Overstay 60 minutes"})
    assert holds('tickets[value]=="Overstay 60 minutes"', tickets=ticket)


@pytest.mark.parametrize(
    ("text", "languages", "expected"),
    [
        ('c[en]=="red"', {"fr": "rouge", "en": "red"}, True),
        ('c[en]=="red"', {"fr": "red", "en": "black"}, False),
        ('c[en]=="red"', {"fr": ["chat"], "en": ["red", "cat"]}, True),
        ('c[EN-gb]=="red"', {"en-GB": "red"}, True),
        ('c[*]=="red"', {"fr": "rouge", "en": "red"}, True),
        ('c=="red"', {"fr": "rouge", "en": ["x", "red"]}, True),
        ('c[*]=="red"', {"fr": "rouge"}, False),
        ('c[en]!="red"', {"fr": "noir", "en": "black"}, True),
        ('c[en]!="red"', {"en": ["red", "black"]}, False),
        ('c[en]!="red"', {"fr": "noir"}, False),
        ('c[*]!="red"', {"fr": "noir", "en": "black"}, True),
        ('c[*]!="red"', {"fr": "rouge", "en": "red"}, False),
        ('c[*]~="^r"', {"fr": "noir", "en": "red"}, True),
        ('c[*]!~="^r"', {"fr": "noir", "en": "red"}, False),
        ("c[de]", {"en": "red"}, False),
        ("c[en.x]", {"en": "red"}, False),
    ],
)
def test_languages(text: str, languages: dict[str, Any], expected: bool) -> None:
    assert holds(text, c=Instance("LanguageProperty", languages)) is expected


@pytest.mark.parametrize(
    "parking",
    [
        Instance("Relationship", "urn:ngsi-ld:P:1"),
        Instance("Relationship", ["urn:ngsi-ld:P:2", "urn:ngsi-ld:P:1"]),
        Instance("ListRelationship", ["urn:ngsi-ld:P:1"]),
        Instance("ListRelationship", [{"object": "urn:ngsi-ld:P:1"}]),
        Instance("VocabProperty", "urn:ngsi-ld:P:1"),
    ],
)
def test_references(parking: Instance) -> None:
    assert holds("p", p=parking)
    assert holds('p=="urn:ngsi-ld:P:1"', p=parking)
    assert holds("p==urn:ngsi-ld:P:1,urn:ngsi-ld:P:9", p=parking)
    assert holds("p!=urn:ngsi-ld:P:9", p=parking)
    assert not holds("p!=urn:ngsi-ld:P:1", p=parking)
    assert not holds("p[x]", p=parking)
    if parking.kind != "VocabProperty":
        for text in ('p~="urn"', 'p!~="x"', 'p>"a"', 'p<="z"'):
            assert not holds(text, p=parking)


def test_list_property_and_datasets() -> None:
    numbers = Instance("ListProperty", [1, 15, 30])
    assert holds("n==15", n=numbers)
    assert not holds("n==16", n=numbers)
    many = [Instance("Property", 1), Instance("Property", 9, dataset_id="urn:d:9")]
    assert holds("n>5", n=many)
    assert holds("n!=9", n=many)
    assert holds("n==9", n=many)


def test_expanded_query_values_meet_vocabularies() -> None:
    gender = entity(gender=Instance("VocabProperty", expand("Male")))
    assert compile_q(parse_q("gender==Male", expand, ["gender"]))(gender)
    assert not compile_q(parse_q("gender!=Male", expand, ["gender"]))(gender)
