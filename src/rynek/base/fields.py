"""What a reader meant who wrote the name of a field a little wrong."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from typing import Any, Final

from msgspec import inspect

__all__ = ["with_near_field"]

_UNKNOWN: Final = re.compile(r"unknown field `(.*?)`(?: - at `(.*)`)?$")
_STEP: Final = re.compile(r"\.([^.\[\]]+)|\[[^\]]*\]")


def with_near_field(message: str, kind: Any) -> str:
    """A message of msgspec on decoding `kind`; where a field is unknown, with the field of that
    place that is nearest to it in its letters, if one is near."""
    found = _UNKNOWN.search(message)
    if found is None:
        return message
    places = list(_structs(inspect.type_info(kind)))
    for step in _STEP.finditer(found[2] or ""):
        places = [
            struct
            for place in places
            for field in place.fields
            if step[1] == field.encode_name
            for struct in _structs(field.type)
        ] if step[1] else places  # fmt: skip
    known = {field.encode_name for place in places for field in place.fields}
    near = difflib.get_close_matches(found[1][:80], sorted(known), n=1)
    return f"{message} (did you mean `{near[0]}`?)" if near else message


def _structs(kind: inspect.Type) -> Iterator[inspect.StructType]:
    """The structs that a value of this type can be or hold one level down."""
    if isinstance(kind, inspect.StructType):
        yield kind
    elif isinstance(kind, inspect.UnionType):
        for one in kind.types:
            yield from _structs(one)
    elif isinstance(kind, inspect.CollectionType):
        yield from _structs(kind.item_type)
    elif isinstance(kind, inspect.DictType):
        yield from _structs(kind.value_type)
    elif isinstance(kind, inspect.Metadata):
        yield from _structs(kind.type)
