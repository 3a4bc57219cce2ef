"""Whether a write says anything new: what does not makes no reading and no notification."""

from __future__ import annotations

from rynek.context.model import Instance, same_value


def unchanged(old: Instance, new: Instance) -> bool:
    """Whether `new` repeats `old` in every member but the system's own times (§5.8.6)."""
    return (
        old.observed_at == new.observed_at
        and old.expires_at == new.expires_at
        and same_content(old, new)
    )


def same_content(a: Instance, b: Instance) -> bool:
    """Whether two instances say the same, whenever they were observed or written."""
    return (
        a.value == b.value
        and type(a.value) is type(b.value)
        and a.kind == b.kind
        and a.unit_code == b.unit_code
        and a.value_type == b.value_type
        and a.object_type == b.object_type
        and a.sealed == b.sealed
        and same_value(a.value, b.value)
        and _same_subs(a.subs, b.subs)
    )


def _same_subs(a: dict[str, list[Instance]] | None, b: dict[str, list[Instance]] | None) -> bool:
    if not a and not b:
        return True
    if not a or not b or a.keys() != b.keys():
        return False
    return all(
        len(a[name]) == len(b[name])
        and all(same_content(x, y) for x, y in zip(a[name], b[name], strict=True))
        for name in a
    )
