"""Plain models of an entity and of its past, written from the clauses (CIM 009 §4.5.19, §4.11,
§5.5.8, §5.5.12, §5.6) and slow but obvious: what the service does is compared with them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

NULL: Final = "urn:ngsi-ld:null"
ID: Final = "urn:ngsi-ld:Thing:1"

Instance = dict[str, Any]
Instances = dict[str | None, Instance]
"""Those of one attribute by dataset id, None for the default one."""


class Step(NamedTuple):
    """One write: `verb` is a key of WRITES; a body of attributes, or of one instance of `attr`."""

    verb: str
    attr: str
    dataset: str | None
    body: Any

    def request(self) -> tuple[str, str, Any]:
        """Method, path and body."""
        method, path = WRITES[self.verb]
        path = path.format(id=ID, attr=self.attr, dataset=self.dataset or "@none")
        return method, path, self.body


WRITES: Final[dict[str, tuple[str, str]]] = {
    "create": ("POST", "entities"),
    "replace": ("PUT", "entities/{id}"),
    "delete": ("DELETE", "entities/{id}"),
    "append": ("POST", "entities/{id}/attrs"),
    "append_new": ("POST", "entities/{id}/attrs?options=noOverwrite"),
    "update": ("PATCH", "entities/{id}/attrs"),
    "merge": ("PATCH", "entities/{id}"),
    "partial": ("PATCH", "entities/{id}/attrs/{attr}"),
    "replace_attr": ("PUT", "entities/{id}/attrs/{attr}"),
    "delete_attr": ("DELETE", "entities/{id}/attrs/{attr}?datasetId={dataset}"),
    "delete_all": ("DELETE", "entities/{id}/attrs/{attr}?deleteAll=true"),
}


class EntityModel:
    """One entity; every verb gives the status that the request must have."""

    def __init__(self) -> None:
        self._attrs: dict[str, Instances] | None = None

    def write(self, step: Step) -> int:
        """Do a step."""
        if step.verb == "create":
            if self._attrs is not None:
                return 409
            self._attrs = _sorted(step.body)
            return 201
        if self._attrs is None:
            return 404
        verb: Callable[[dict[str, Instances], Step], int] = getattr(self, f"_{step.verb}")
        status = verb(self._attrs, step)
        if self._attrs is not None:
            self._attrs = {name: some for name, some in self._attrs.items() if some}
        return status

    def shown(self) -> dict[str, Instances] | None:
        """The attributes as they must be; None where there is no entity."""
        return self._attrs

    def _replace(self, _: dict[str, Instances], step: Step) -> int:
        self._attrs = _sorted(step.body)
        return 204

    def _delete(self, _: dict[str, Instances], __: Step) -> int:
        self._attrs = None
        return 204

    def _append(self, attrs: dict[str, Instances], step: Step) -> int:
        for name, some in _sorted(step.body).items():
            attrs.setdefault(name, {}).update(some)
        return 204

    def _append_new(self, attrs: dict[str, Instances], step: Step) -> int:
        left_out = False
        for name, some in _sorted(step.body).items():
            there = attrs.setdefault(name, {})
            left_out |= not there.keys().isdisjoint(some)
            attrs[name] = some | there
        return 207 if left_out else 204

    def _update(self, attrs: dict[str, Instances], step: Step) -> int:
        for name, some in _sorted(step.body).items():
            there = attrs.setdefault(name, {})
            for dataset, one in some.items():
                there.pop(dataset, None) if one["value"] == NULL else there.update({dataset: one})
        return 204

    def _merge(self, attrs: dict[str, Instances], step: Step) -> int:
        for name, some in _sorted(step.body).items():
            there = attrs.setdefault(name, {})
            for dataset, one in some.items():
                if one["value"] == NULL:
                    there.pop(dataset, None)
                else:
                    there[dataset] = _merged(there.get(dataset, {}), one)
        return 204

    def _partial(self, attrs: dict[str, Instances], step: Step) -> int:
        there = attrs.get(step.attr, {})
        if step.dataset not in there:
            return 404
        made = there[step.dataset] | step.body
        there[step.dataset] = {name: item for name, item in made.items() if item != NULL}
        return 204

    def _replace_attr(self, attrs: dict[str, Instances], step: Step) -> int:
        there = attrs.get(step.attr, {})
        if step.dataset not in there:
            return 404
        there[step.dataset] = step.body
        return 204

    def _delete_attr(self, attrs: dict[str, Instances], step: Step) -> int:
        found = attrs.get(step.attr, {}).pop(step.dataset, None)
        return 404 if found is None else 204

    def _delete_all(self, attrs: dict[str, Instances], step: Step) -> int:
        return 404 if attrs.pop(step.attr, None) is None else 204


def _merged(old: Any, new: Any) -> Any:
    """RFC 7396 for objects without Nulls inside."""
    if not isinstance(old, dict) or not isinstance(new, dict):
        return new
    return old | {name: _merged(old.get(name), item) for name, item in new.items()}


def _sorted(body: dict[str, Any]) -> dict[str, Instances]:
    return instances({n: v for n, v in body.items() if n not in ("id", "type")})


def instances(attrs: dict[str, Any]) -> dict[str, Instances]:
    """Attributes of a normalized document by name and dataset."""
    return {
        name: {one.get("datasetId"): one for one in (item if isinstance(item, list) else [item])}
        for name, item in attrs.items()
    }


class Reading(NamedTuple):
    """One instance of the past."""

    attr: str
    dataset: str | None
    time: str
    value: int


class Question(NamedTuple):
    """A temporal query (§4.11), and how many of the newest are wanted of each series."""

    timerel: str | None
    time: str
    end: str
    last: int | None

    def params(self) -> str:
        """As it stands in an address."""
        parts = [f"lastN={self.last}"] if self.last else []
        if self.timerel:
            parts += [f"timerel={self.timerel}", f"timeAt={self.time}"]
        if self.timerel == "between":
            parts.append(f"endTimeAt={self.end}")
        return "&".join(parts)

    def within(self, time: str) -> bool:
        """before excludes timeAt, after includes it, between includes it and excludes the end."""
        if self.timerel == "before":
            return time < self.time
        if self.timerel == "after":
            return time >= self.time
        return self.timerel is None or self.time <= time < self.end


Series = dict[tuple[str, str | None], list[list[Any]]]


def series(readings: list[Reading], asked: Question) -> Series:
    """What the simplified representation (§4.5.9) must hold for a question."""
    found: dict[tuple[str, str | None], list[list[Any]]] = {}
    for one in sorted(readings, key=lambda one: one.time):
        if asked.within(one.time):
            found.setdefault((one.attr, one.dataset), []).append([one.value, one.time])
    return {key: pairs[-asked.last :] if asked.last else pairs for key, pairs in found.items()}


METHODS: Final[dict[str, Callable[[list[int]], float]]] = {
    "totalCount": len,
    "distinctCount": lambda values: len(set(values)),
    "sum": sum,
    "min": min,
    "max": max,
    "avg": lambda values: sum(values) / len(values),
    "sumsq": lambda values: sum(value * value for value in values),
}
"""What each of aggrMethods (§4.5.19) makes of the values of a series."""
