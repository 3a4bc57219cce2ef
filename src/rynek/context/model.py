"""The information model: entities, attributes and their instances (CIM 009 §4.5).

Names inside are always expanded IRIs; formats.py turns them into what a client asked for.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

NGSI_LD: Final = "https://uri.etsi.org/ngsi-ld/"
DEFAULT_VOCAB: Final = "https://uri.etsi.org/ngsi-ld/default-context/"
LOCATION: Final = NGSI_LD + "location"
SCOPE: Final = NGSI_LD + "scope"

# Kind of attribute → the member that holds its value (CIM 009 §4.5.2 - §4.5.24).
VALUE_MEMBER: Final[dict[str, str]] = {
    "Property": "value",
    "GeoProperty": "value",
    "Relationship": "object",
    "LanguageProperty": "languageMap",
    "JsonProperty": "json",
    "VocabProperty": "vocab",
    "ListProperty": "valueList",
    "ListRelationship": "objectList",
}

NULL: Final = "urn:ngsi-ld:null"


class Instance(msgspec.Struct, omit_defaults=True):
    """One instance of an attribute: a reading, in the field's words.

    `value` is the kind's value member as plain JSON (see VALUE_MEMBER); for VocabProperty the
    expanded IRI(s). Times are ISO 8601 UTC strings for `observed_at` (as the source gave it) and
    epoch microseconds for the system's own. `subs` are properties of properties, by IRI. `sealed`
    is what an ngsildproof has beside its value: entityIdSealed and entityTypeSealed (§4.5.2.2).
    """

    kind: str
    value: Any
    dataset_id: str | None = None
    observed_at: str | None = None
    unit_code: str | None = None
    object_type: list[str] | None = None
    value_type: str | None = None
    expires_at: str | None = None
    subs: dict[str, list[Instance]] | None = None
    created_at: int = 0
    modified_at: int = 0
    sealed: dict[str, str] | None = None


class Entity(msgspec.Struct, omit_defaults=True):
    """One entity: URI, types (IRIs), attributes by IRI, each with one instance per dataset id."""

    id: str
    types: list[str]
    attrs: dict[str, list[Instance]]
    scopes: list[str] | None = None
    expires_at: str | None = None
    created_at: int = 0
    modified_at: int = 0

    def default(self, attr: str) -> Instance | None:
        """The instance of `attr` without dataset id, or the first one; None if it has none."""
        instances = self.attrs.get(attr)
        if not instances:
            return None
        for instance in instances:
            if instance.dataset_id is None:
                return instance
        return instances[0]


def same_value(one: Any, other: Any) -> bool:
    """Whether two JSON values are the same: 1 and true are not, which Python takes for equal."""
    if one != other or (type(one) is bool) is not (type(other) is bool):
        return False
    if type(one) is dict:
        return all(same_value(value, other[name]) for name, value in one.items())
    return all(map(same_value, one, other)) if type(one) is list else True
