"""Merging of attribute instances: the standard's merge patch (CIM 009 §5.5.12, RFC 7396)."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET

from rynek.base.errors import BadRequestData
from rynek.context.formats import is_null
from rynek.context.model import NULL, Instance


def merge_instances(
    old: list[Instance], patch: list[Instance], observed_at: str | None
) -> tuple[list[Instance], list[str | None]]:
    """(instances to set, dataset ids to delete) when `patch` is merged into `old`."""
    by_dataset = {one.dataset_id: one for one in old}
    merged: list[Instance] = []
    gone: list[str | None] = []
    for part in patch:
        before = by_dataset.get(part.dataset_id)
        if is_null(part):
            gone.append(part.dataset_id)
        elif before is None or (part.kind and part.kind != before.kind):
            merged.append(without_nulls(part))
        else:
            if observed_at and before.observed_at and not part.observed_at:
                part = msgspec.structs.replace(part, observed_at=observed_at)
            result = merged_instance(before, part, deep=True)
            if result.kind == "LanguageProperty" and not result.value:
                gone.append(part.dataset_id)  # its last language was deleted
            else:
                merged.append(result)
    return merged, gone


def merged_instance(old: Instance, part: Instance, *, deep: bool) -> Instance:
    """`old` with the members that `part` gives; Null members go. With `deep`, objects that are
    values merge too (merge patch); without, a given value replaces the old one."""
    value = old.value
    if part.value is not UNSET:
        value = merged_value(old.value, part.value) if deep else part.value
    return Instance(
        kind=old.kind,
        value=value,
        dataset_id=old.dataset_id,
        observed_at=_member(old.observed_at, part.observed_at),
        unit_code=_member(old.unit_code, part.unit_code),
        object_type=_types(old.object_type, part.object_type),
        value_type=_member(old.value_type, part.value_type),
        expires_at=_member(old.expires_at, part.expires_at),
        subs=_merged_subs(old.subs, part.subs, deep=deep),
        created_at=old.created_at,
        sealed=part.sealed or old.sealed,
    )


def merged_value(old: Any, new: Any) -> Any:
    """JSON merge patch (RFC 7396) with the NGSI-LD Null in the place of null."""
    if not isinstance(new, dict):
        return new
    base = dict(old) if isinstance(old, dict) else {}
    if "@type" in new or ("type" in new and "coordinates" in new):
        return new  # a typed value or a geometry is one value, not members
    for name, item in new.items():
        if item == NULL:
            base.pop(name, None)
        else:
            base[name] = merged_value(base.get(name), item)
    return base


def without_nulls(part: Instance) -> Instance:
    """A new instance from a patch: what would be deleted is not there yet. BadRequestData when the
    patch gives no value to begin with."""
    whole(part)
    value = merged_value(None, part.value) if isinstance(part.value, dict) else part.value
    if part.kind == "LanguageProperty" and not value:
        raise BadRequestData("languageMap: a LanguageProperty that is not there yet needs a text")
    return msgspec.structs.replace(
        part,
        value=value,
        observed_at=_member(None, part.observed_at),
        unit_code=_member(None, part.unit_code),
        object_type=_types(None, part.object_type),
        value_type=_member(None, part.value_type),
        expires_at=_member(None, part.expires_at),
        subs=_merged_subs(None, part.subs, deep=True),
    )


def settled(part: Instance) -> Instance:
    """An instance of an update, which replaces a whole attribute: its Null members are not there."""
    members = (part.observed_at, part.unit_code, part.value_type, part.expires_at)
    if part.subs is None and NULL not in members and part.object_type != [NULL]:
        return part
    return without_nulls(part)


def whole(part: Instance) -> Instance:
    """The instance, if it can stand alone; BadRequestData when it only touches members."""
    if part.value is UNSET or not part.kind:
        raise BadRequestData("an attribute that is not there yet needs a type and a value")
    return part


def _member(old: str | None, new: str | None) -> str | None:
    if new is None:
        return old
    return None if new == NULL else new


def _types(old: list[str] | None, new: list[str] | None) -> list[str] | None:
    if new is None:
        return old
    return None if new == [NULL] else new


def _merged_subs(
    old: dict[str, list[Instance]] | None, part: dict[str, list[Instance]] | None, *, deep: bool
) -> dict[str, list[Instance]] | None:
    if not part:
        return old
    subs = dict(old or {})
    for name, patch in part.items():
        before = subs.get(name, [])
        if deep:
            merged, gone = merge_instances(before, patch, None)
        else:
            merged = [without_nulls(one) for one in patch if not is_null(one)]
            gone = [one.dataset_id for one in patch if is_null(one)]
        touched = {one.dataset_id for one in merged} | set(gone)
        kept = [one for one in before if one.dataset_id not in touched] + merged
        if kept:
            subs[name] = kept
        else:
            subs.pop(name, None)
    return subs or None
