"""The API's description for people: the operations in groups, from the source of the OpenAPI document."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import msgspec
from markupsafe import Markup, escape

from rynek.web.api.openapi import Operation, operations
from rynek.web.api.parameters import allowed, parameters_of
from rynek.web.api.routes import ROUTES
from rynek.web.api.shapes import SHAPES

__all__ = ["Example", "Group", "Shown", "examples", "groups"]

_EXAMPLES: Final = Path(__file__).parent.parent / "examples"
_CLAUSES: Final = re.compile(r"§[0-9][0-9.]*")
_ORDER: Final = (
    "Entities", "Batches and queries", "Discovery", "History", "Entity maps", "Subscriptions",
    "Context sources", "@contexts", "Snapshots", "This description",
)  # fmt: skip
_HERE: Final = "http://127.0.0.1:8026"


class Shown(msgspec.Struct, frozen=True):
    """One operation, in words. `parameters` are (name, what it means, clause, state where it is
    not done)."""

    name: str
    method: str
    path: str
    what: str
    clauses: str
    parameters: list[tuple[str, Markup, str, str]]
    body: str
    answers: list[tuple[int, str, str]]


class Group(msgspec.Struct, frozen=True):
    """Operations on one kind of thing."""

    name: str
    anchor: str
    operations: list[Shown]


class Example(msgspec.Struct, frozen=True):
    """One program: for which shell or language, and its text with this service's addresses."""

    name: str
    language: str
    text: str


@lru_cache(maxsize=1)
def groups() -> tuple[Group, ...]:
    """Every operation that is served, by group."""
    found: dict[str, list[Shown]] = {}
    for operation in operations(ROUTES):
        if operation.done:
            found.setdefault(operation.group, []).append(_shown(operation))
    names = sorted(found, key=_ORDER.index)
    return tuple(Group(name, _anchor(name), found[name]) for name in names)


def _anchor(name: str) -> str:
    return "api-" + re.sub(r"[^a-z]+", "-", name.lower()).strip("-")


def _shown(operation: Operation) -> Shown:
    shape = SHAPES[operation.key]
    summary = operation.summary
    rows = [
        (row.name, _marked(row.says), row.clause, "" if row.state.startswith("done") else row.state)
        for row in parameters_of(operation.key)
    ]
    takes = allowed(operation.key)
    for name, words in (("options", takes.options), ("format", takes.formats)):
        if words:
            rows.append((name, Markup(", ").join(map(escape, sorted(words))), "6.3.7", ""))
    return Shown(
        name=operation.name,
        method=operation.method,
        path=operation.path,
        what=re.sub(r"\s*\([^()]*§[^()]*\)", "", summary),
        clauses=", ".join(dict.fromkeys(_CLAUSES.findall(summary))),
        parameters=sorted(rows, key=lambda row: row[0].lower()),
        body=_named(shape.body),
        answers=[(one.status, one.says, _named(one.schema)) for one in shape.answers],
    )


def _marked(text: str) -> Markup:
    """A text whose code stands in backticks, as HTML."""
    parts = text.split("`")
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if index % 2 else escape(part)
        for index, part in enumerate(parts)
    )


def _named(schema: Any) -> str:
    """The names of the data types in a schema: "Entity[]", "UpdateResult or …"."""
    if not isinstance(schema, dict):
        return ""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if schema.get("type") == "array":
        return f"{_named(schema.get('items'))}[]"
    if "anyOf" in schema:
        return " or ".join(filter(None, map(_named, schema["anyOf"])))
    return {"string": "String", "object": "JSON object"}.get(str(schema.get("type")), "")


@lru_cache(maxsize=64)
def examples(address: str, tenant: str) -> tuple[Example, ...]:
    """Every example, with the address of the service and the tenant in its place."""
    found = []
    for path in sorted(_EXAMPLES.glob("[a-z]*.*"), key=_place):
        text = path.read_text(encoding="utf-8")
        text = text.replace(f"{_HERE}/c/default/", f"{address}/c/{tenant}/")
        text = text.replace(_HERE, address).replace(":-default}", f":-{tenant}}}")
        text = text.replace('"TENANT", "default"', f'"TENANT", "{tenant}"')
        language = "Python" if path.suffix == ".py" else "curl"
        found.append(Example(path.stem, language, text))
    return tuple(found)


def _place(path: Path) -> tuple[int, bool]:
    order = ("write_and_read", "subscribe", "follow_changes")
    return (order.index(path.stem) if path.stem in order else len(order), path.suffix == ".py")
