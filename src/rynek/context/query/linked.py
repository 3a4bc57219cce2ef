"""Conditions of `q` on linked entities, `a{b}` (CIM 009 §4.9, §4.5.23)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping

from rynek.context.model import Entity, Instance
from rynek.context.query.match import compile_q
from rynek.context.query.q import And, Linked, QNode, Term
from rynek.context.query.targets import REFERENCES

__all__ = ["compile_linked", "has_links", "linked_ids", "object_ids", "wanted_links"]

LinkedTest = Callable[[Entity, Mapping[str, Entity]], bool]


def has_links(node: QNode) -> bool:
    """Whether a condition on linked entities is somewhere in the tree."""
    if isinstance(node, Linked):
        return True
    return not isinstance(node, Term) and any(has_links(part) for part in node.nodes)


def compile_linked(node: QNode) -> LinkedTest:
    """The test of an entity with the entities that its relationships lead to, by id; those that
    are missing there do not exist."""
    if isinstance(node, Term):
        plain = compile_q(node)
        return lambda entity, _: plain(entity)
    if isinstance(node, Linked):
        return _compile_link(node)
    parts = [compile_linked(part) for part in node.nodes]
    if isinstance(node, And):
        return lambda entity, linked: all(part(entity, linked) for part in parts)
    return lambda entity, linked: any(part(entity, linked) for part in parts)


def _compile_link(node: Linked) -> LinkedTest:
    relationship, types = node.relationship, frozenset(node.types)
    inner = compile_linked(node.node)

    def test(entity: Entity, linked: Mapping[str, Entity]) -> bool:
        targets = (linked.get(one) for one in linked_ids(entity, relationship))
        return any(
            target is not None
            and (not types or not types.isdisjoint(target.types))
            and inner(target, linked)
            for target in targets
        )

    return test


def object_ids(instance: Instance) -> list[str]:
    """The URIs that one instance of a relationship points to, in order."""
    if instance.kind not in REFERENCES:
        return []
    value = instance.value
    return [one for one in (value if type(value) is list else [value]) if type(one) is str]


def linked_ids(entity: Entity, relationship: str) -> Iterator[str]:
    """The URIs that all instances of a relationship point to."""
    for instance in entity.attrs.get(relationship, ()):
        yield from object_ids(instance)


def wanted_links(
    node: QNode, entity: Entity, linked: Mapping[str, Entity]
) -> Iterator[tuple[str, Collection[str]]]:
    """(id, types it is said to have) of what the conditions of `node` lead to from `entity`, as
    far as `linked` allows to follow them."""
    if isinstance(node, Linked):
        for instance in entity.attrs.get(node.relationship, ()):
            for one in object_ids(instance):
                yield one, instance.object_type or node.types
                target = linked.get(one)
                if target is not None:
                    yield from wanted_links(node.node, target, linked)
    elif not isinstance(node, Term):
        for part in node.nodes:
            yield from wanted_links(part, entity, linked)
