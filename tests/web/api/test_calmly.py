"""Large answers in parts are the same bytes as in one go."""

from __future__ import annotations

from typing import Any, get_args

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rynek.context import (
    NULL,
    SCOPE,
    Instance,
    TemporalAbout,
    TemporalEntity,
    TemporalInstance,
    core_context,
)
from rynek.web.api import calmly
from rynek.web.api.bodies import dumps
from rynek.web.api.calmly import encoded, evolution_body
from rynek.web.api.temporal_form import Form, TemporalView, render
from rynek.web.api.temporal_held import Held, ids_of

CORE = core_context()
NAME, KIND = CORE.expand_term("level"), CORE.expand_term("T")
LEAVES = st.none() | st.booleans() | st.integers(-9, 9) | st.floats(allow_nan=False) | st.text()
ITEMS = st.recursive(
    LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=12
)


@given(st.dictionaries(st.text(), ITEMS), st.integers(250, 520))
def test_a_document_in_parts(document: dict[str, Any], count: int) -> None:
    many = [{"n": n} if n % 99 else document for n in range(count)]
    whole = document | {"many": many, "inner": {"short": many[:3], "many": many}}
    assert encoded(whole) == dumps(whole)


def evolution(count: int) -> TemporalEntity:
    level = [
        TemporalInstance(
            NAME,
            Instance(
                "Property",
                NULL if n % 50 == 7 else n / 4,
                "urn:x:d" if n % 3 == 0 else None,
                created_at=1 + n,
                modified_at=2 + n,
            ),
            f"urn:ngsi-ld:instance:{n}",
            1_000_000 * n,
            1_000_000 * n + 1,
            deleted=n % 50 == 7,
        )
        for n in range(count)
    ]
    scopes = [TemporalInstance(SCOPE, Instance("Property", "/a"), "urn:ngsi-ld:instance:s", 1, 1)]
    return TemporalEntity("urn:x:1", [KIND], {NAME: level, SCOPE: scopes}, deleted_at=5)


@pytest.mark.parametrize("form", [one for one in get_args(Form) if one != "aggregatedValues"])
@pytest.mark.parametrize("count", [3, calmly.PART, 3 * calmly.PART + 1])
@pytest.mark.parametrize("sys_attrs", [False, True])
def test_an_evolution_in_parts(form: Form, count: int, *, sys_attrs: bool) -> None:
    about = TemporalAbout([KIND], 1, 2)
    for view in (
        TemporalView(form, sys_attrs),
        TemporalView(form, sys_attrs, pick={NAME}),
        TemporalView(form, sys_attrs, omit={"id", NAME}, time_property="deletedAt"),
    ):
        entity = evolution(count)
        assert evolution_body(entity, about, CORE, view) == dumps(
            render(evolution(count), about, CORE, view)
        )
    assert evolution_body(TemporalEntity("urn:x:1", [KIND], {}), about, CORE, view) == dumps(
        render(TemporalEntity("urn:x:1", [KIND], {}), about, CORE, view)
    )


def test_entities_that_history_has_are_made_where_they_are_wanted() -> None:
    ids = [f"urn:x:{n}" for n in range(600)]
    attrs = [["a", "b"][: n % 3] for n in range(600)]
    held = Held(pa.table({"entity_id": ids, "type": ["T"] * 600, "attrs": attrs}))
    made = list(held)
    assert [one.id for one in made] == ids == ids_of(held) == ids_of(made)
    assert [one.attrs for one in made] == [len(one) for one in attrs]
    assert made[0].about.types == ["T"]
    for part in (slice(5, 9), slice(590, 700), slice(700, 800), slice(9, 5), slice(-3, None)):
        assert held[part] == made[part]
    assert held[::-100] == made[::-100]
    assert held[-1] == made[-1]
    with pytest.raises(IndexError):
        held[600]
