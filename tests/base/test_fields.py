"""A field that is unknown is answered with the one that was meant."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from rynek.base.fields import with_near_field


class Inner(msgspec.Struct, forbid_unknown_fields=True):
    weight: int = 0


class Outer(msgspec.Struct, forbid_unknown_fields=True):
    design: str = ""
    many: list[Inner] = []
    named: dict[str, Inner] = {}
    one: Inner | None = None


@pytest.mark.parametrize(
    ("document", "near"),
    [
        ({"desing": "x"}, "design"),
        ({"many": [{"wieght": 1}]}, "weight"),
        ({"named": {"a": {"wieght": 1}}}, "weight"),
        ({"one": {"wieght": 1}}, "weight"),
        ({"one": {"desing": 1}}, None),
        ({"colour": 1}, None),
        ({"design": 1}, None),
    ],
)
def test_the_near_field_of_that_place_is_named(document: dict[str, Any], near: str | None) -> None:
    with pytest.raises(msgspec.ValidationError) as refused:
        msgspec.convert(document, Outer)
    told = with_near_field(str(refused.value), Outer)
    assert told == str(refused.value) + (f" (did you mean `{near}`?)" if near else "")
