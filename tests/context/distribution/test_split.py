"""Which part of a write goes where (CIM 009 §4.3.6.2, §4.3.6.3, §5.6.1.4)."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rynek.context.distribution.split import Plan, split, split_whole
from rynek.context.registrations import (
    EntityInfo,
    Match,
    Registration,
    RegistrationInfo,
    RegistrationSpec,
    match,
)

NAMES = ("a", "b", "c", "d")


def source(mode: str, *names: str, takes: bool = True) -> Registration:
    info = RegistrationInfo((EntityInfo(("T",)),), names)
    operations = ("createEntity",) if takes else ("retrieveOps",)
    one = f"urn:r:{mode}:{'-'.join(names)}"
    return Registration(
        id=one, endpoint="http://x.test", information=(info,), mode=mode, operations=operations
    )


def matches(sources: list[Registration], attrs: tuple[str, ...]) -> list[Match]:
    spec = RegistrationSpec(entity_types=["T"], ids=["urn:x:1"], attrs=attrs)
    return [found for one in sources if (found := match(one, spec)) is not None]


def plan(*sources: Registration, attrs: tuple[str, ...] = NAMES) -> Plan:
    return split(matches(list(sources), attrs), attrs, lambda one: one.supports("createEntity"))


def test_exclusive_then_redirect_then_inclusive_and_here() -> None:
    found = plan(
        source("inclusive"),
        source("redirect", "a", "b"),
        source("exclusive", "a"),
        source("inclusive", "d"),
        source("auxiliary", "d"),
        source("inclusive", "a"),
    )
    got = {part.source.id: part.attrs for part in found.parts}
    assert got == {
        "urn:r:exclusive:a": ("a",),
        "urn:r:redirect:a-b": ("b",),
        "urn:r:inclusive:": ("c", "d"),
        "urn:r:inclusive:d": ("d",),
    }
    assert found.local == ("c", "d") and found.here


def test_whoever_holds_whole_entities_leaves_nothing_here() -> None:
    found = plan(source("redirect"), source("redirect", "a"), source("inclusive"))
    assert [part.attrs for part in found.parts] == [NAMES, ("a",)]
    assert not found.here
    bare = plan(source("redirect"), source("redirect", "a"), attrs=())
    assert [part.source.id for part in bare.parts] == ["urn:r:redirect:"]
    assert not bare.here


def test_what_a_proxied_source_does_not_take_is_planned_as_unsupported() -> None:
    found = plan(source("redirect", "a", takes=False), source("inclusive", takes=False))
    assert [(part.attrs, part.supported) for part in found.parts] == [(("a",), False)]
    assert found.local == ("b", "c", "d")


def test_a_whole_entity_goes_to_all_that_have_some_of_it() -> None:
    sources = [
        source("exclusive", "a"),
        source("redirect", "b", takes=False),
        source("inclusive"),
        source("inclusive", "c", takes=False),
        source("auxiliary"),
    ]
    found = split_whole(matches(sources, ()), lambda one: one.supports("createEntity"))
    assert [(part.source.mode, part.supported) for part in found.parts] == [
        ("exclusive", True), ("redirect", False), ("inclusive", True),
    ]  # fmt: skip
    assert found.here


modes = st.sampled_from(["inclusive", "exclusive", "redirect", "auxiliary"])
sources_of = st.builds(
    lambda mode, names, takes: source(
        mode, *(sorted(names) or (["a"] if mode == "exclusive" else [])), takes=takes
    ),
    modes,
    st.sets(st.sampled_from(NAMES)),
    st.booleans(),
)


@given(st.lists(sources_of, max_size=6), st.sets(st.sampled_from(NAMES), min_size=1))
def test_every_attribute_goes_somewhere_and_proxied_ones_only_there(
    some: list[Registration], names: set[str]
) -> None:
    attrs = tuple(sorted(names))
    found = plan(*some, attrs=attrs)
    here = set(found.local or ()) if found.here else set()
    proxied = {attr for part in found.parts if part.source.proxied for attr in part.attrs or ()}
    assert here | proxied == set(attrs)
    assert not here & proxied
    for part in found.parts:
        mine = set(part.attrs or ())
        assert mine and mine <= set(attrs)
        if part.source.mode == "inclusive":
            assert mine <= here and part.supported
        assert part.source.mode != "auxiliary"
