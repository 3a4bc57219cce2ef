"""Names of operations that can be distributed, and the named groups of them (CIM 009 §4.20)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

__all__ = ["CONSUMPTION", "GROUPS", "NAMES", "expand_operations"]

_PROVISION: Final = frozenset(
    [
        "createEntity",
        "updateEntity",
        "appendAttrs",
        "updateAttrs",
        "deleteAttrs",
        "deleteEntity",
        "createBatch",
        "upsertBatch",
        "updateBatch",
        "deleteBatch",
        "upsertTemporal",
        "appendAttrsTemporal",
        "deleteAttrsTemporal",
        "updateAttrInstanceTemporal",
        "deleteAttrInstanceTemporal",
        "deleteTemporal",
        "mergeEntity",
        "replaceEntity",
        "replaceAttrs",
        "mergeBatch",
        "purgeEntity",
    ]
)
_DISCOVERY: Final = frozenset(
    [
        "retrieveEntityTypes",
        "retrieveEntityTypeDetails",
        "retrieveEntityTypeInfo",
        "retrieveAttrTypes",
        "retrieveAttrTypeDetails",
        "retrieveAttrTypeInfo",
    ]
)
_TEMPORAL: Final = frozenset(("retrieveTemporal", "queryTemporal"))
CONSUMPTION: Final = _DISCOVERY | _TEMPORAL | {"retrieveEntity", "queryEntity", "queryBatch"}
"""The operations of §5.7, the only ones that mode auxiliary allows."""
_SUBSCRIPTION: Final = frozenset(
    [
        "createSubscription",
        "updateSubscription",
        "retrieveSubscription",
        "querySubscription",
        "deleteSubscription",
    ]
)
_ENTITY_MAPS: Final = frozenset(
    ["retrieveEntityMap", "updateEntityMap", "deleteEntityMap", "createEntityMapQueryEntity"]
)
_IDENTITY: Final = frozenset(("retrieveContextSourceIdentity",))
NAMES: Final = (
    _PROVISION
    | CONSUMPTION
    | _SUBSCRIPTION
    | _ENTITY_MAPS
    | {"createEntityMapQueryTemporal"}
    | _IDENTITY
)
_ASSOCIATION: Final = (
    _DISCOVERY | _SUBSCRIPTION | _IDENTITY | {"retrieveEntity", "queryEntity", "queryBatch"}
)
GROUPS: Final[dict[str, frozenset[str]]] = {
    "federationOps": _ASSOCIATION | _ENTITY_MAPS,
    "associationOps": _ASSOCIATION,
    "updateOps": frozenset(("updateEntity", "updateAttrs", "replaceEntity", "replaceAttrs")),
    "retrieveOps": frozenset(("retrieveEntity", "queryEntity")),
    "redirectionOps": _DISCOVERY
    | _ENTITY_MAPS
    | _IDENTITY
    | frozenset(
        [
            "createEntity",
            "updateEntity",
            "appendAttrs",
            "updateAttrs",
            "deleteAttrs",
            "deleteEntity",
            "mergeEntity",
            "replaceEntity",
            "replaceAttrs",
            "retrieveEntity",
            "queryEntity",
            "purgeEntity",
        ]
    ),
}


def expand_operations(given: Sequence[str] | None, *, temporal: bool) -> frozenset[str]:
    """Every single operation behind names and groups; federationOps when none are given.

    A registration with an interval "can be queried for Temporal Entity Representations" (§5.2.9)
    also when it names no operations, though no group has those two.
    """
    return _expanded(None if given is None else tuple(given), temporal)


@lru_cache(maxsize=1024)
def _expanded(given: tuple[str, ...] | None, temporal: bool) -> frozenset[str]:
    if given is None:
        return GROUPS["federationOps"] | (_TEMPORAL if temporal else frozenset())
    return frozenset().union(*(GROUPS.get(name, (name,)) for name in given))
