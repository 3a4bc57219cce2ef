"""What places are called that the answers on a card name by their ids."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

import msgspec

from rynek.web.pages.shell import Page
from rynek.web.pages.values import title_of

__all__ = ["places_called"]

_MOST: Final = 600
_ID: Final = re.compile(r'urn:[^"\\\s,;]{1,250}')


def places_called(page: Page, owner: str, told: Iterable[Any]) -> dict[str, str]:
    """The names by id of what `told` (documents of answers, of reasons) speaks of in the live
    picture of a card's owner; nothing where who looks may not read that."""
    tenant = page.tenants.get(owner) if owner else None
    if tenant is None:
        return {}
    every = (one for each in told for one in _ID.findall(msgspec.json.encode(each).decode()))
    found = {}
    for one in list(dict.fromkeys(every))[:_MOST]:
        entity = tenant.context.get(one)
        if entity is not None:
            found[one] = title_of(page.t, entity)
    return found
