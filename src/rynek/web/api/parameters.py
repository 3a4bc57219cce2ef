"""Every query parameter of the standard: which operations take it, what it is, whether it is done.

One row a parameter; a second row of the same name says what it means to other operations. The
dispatcher refuses what no row allows (§6.3.20), docs/ngsi-ld.md and the OpenAPI document are made
from these rows. An operation is written as its method and path, "*" for a variable part.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from rynek.base.errors import BadRequestData, InvalidRequest

Schema = dict[str, Any]


class Parameter(NamedTuple):
    """One query parameter for some operations. `state` is "done", or what it does instead and
    the error it gives."""

    name: str
    clause: str
    operations: tuple[str, ...]
    schema: Schema
    says: str
    state: str = "done"


class Words(NamedTuple):
    """What `options` may hold for some operations, and `format` may be ("" : no such parameter)."""

    operations: tuple[str, ...]
    options: tuple[str, ...]
    formats: tuple[str, ...] = ()


ENTITY: Final = ("GET entities/*",)
ENTITIES: Final = ("GET entities", "POST entityOperations/query")
MAPPING: Final = ("GET entityMaps", "POST entityMaps")
PURGE: Final = ("DELETE entities",)
ONE_ENTITY: Final = ("PUT entities/*", "PATCH entities/*", "DELETE entities/*")
ONE_ATTRIBUTE: Final = (
    "PATCH entities/*/attrs/*",
    "PUT entities/*/attrs/*",
    "DELETE entities/*/attrs/*",
)
ATTRIBUTES: Final = ("POST entities/*/attrs", "PATCH entities/*/attrs")
BATCHES: Final = tuple(
    f"POST entityOperations/{name}" for name in ("create", "upsert", "update", "merge", "delete")
)
DISCOVERY: Final = ("GET types", "GET types/*", "GET attributes", "GET attributes/*")
EVOLUTION: Final = ("GET temporal/entities/*",)
EVOLUTIONS: Final = ("GET temporal/entities", "POST temporal/entityOperations/query")
TEMPORAL_MAPPING: Final = ("GET temporal/entityMaps", "POST temporal/entityMaps")
TEMPORAL_WRITES: Final = (
    "POST temporal/entities",
    "DELETE temporal/entities/*",
    "POST temporal/entities/*/attrs",
    "DELETE temporal/entities/*/attrs/*",
    "PATCH temporal/entities/*/attrs/*/*",
    "DELETE temporal/entities/*/attrs/*/*",
)
SOURCES: Final = ("GET csourceRegistrations",)
SUBSCRIPTIONS: Final = ("GET subscriptions", "GET csourceSubscriptions")
STORED: Final = (
    "GET csourceRegistrations/*",
    "GET subscriptions/*",
    "GET csourceSubscriptions/*",
)

GROUPS: Final[tuple[tuple[str, tuple[str, ...]], ...]] = (
    ("retrieve", ENTITY),
    ("query", ENTITIES),
    ("entity maps", MAPPING),
    ("purge", PURGE),
    ("replace, merge, delete an entity", ONE_ENTITY),
    ("append, update attributes", ATTRIBUTES),
    ("update, replace, delete an attribute", ONE_ATTRIBUTE),
    ("batches", BATCHES),
    ("types and attributes", DISCOVERY),
    ("retrieve the past", EVOLUTION),
    ("query the past", EVOLUTIONS),
    ("entity maps of the past", TEMPORAL_MAPPING),
    ("write the past", TEMPORAL_WRITES),
    ("registrations", SOURCES),
    ("lists of subscriptions", SUBSCRIPTIONS),
    ("one subscription or registration", STORED),
)
"""Operations that mostly take the same parameters, by what people call them."""

_QUERIES: Final = ENTITIES + MAPPING
_TIMES: Final = EVOLUTIONS + TEMPORAL_MAPPING
_SELECTS: Final = _QUERIES + _TIMES + PURGE + SOURCES
_SHOWS: Final = ENTITY + _QUERIES + EVOLUTION + _TIMES + SOURCES
_LISTS: Final = ENTITIES + MAPPING + EVOLUTIONS + TEMPORAL_MAPPING + SOURCES + SUBSCRIPTIONS

_TEXT: Final[Schema] = {"type": "string"}
_NAMES: Final[Schema] = {"type": "string", "description": "separated by commas"}
_FLAG: Final[Schema] = {"type": "boolean"}
_COUNT: Final[Schema] = {"type": "integer", "minimum": 0}
_POSITIVE: Final[Schema] = {"type": "integer", "minimum": 1}
_TIME: Final[Schema] = {"type": "string", "format": "date-time"}
_DURATION: Final[Schema] = {"type": "string", "format": "duration"}
_URI: Final[Schema] = {"type": "string", "format": "uri"}


def _one_of(*words: str) -> Schema:
    return {"type": "string", "enum": list(words)}


PARAMETERS: Final[tuple[Parameter, ...]] = (
    # Which entities
    Parameter("type", "4.17", _SELECTS, _TEXT,
              "types, with `,` or `|` (or), `;` (and), brackets; `*` for all that are local"),
    Parameter("type", "4.17", ENTITY + ONE_ENTITY + ATTRIBUTES + ONE_ATTRIBUTE, _TEXT,
              "only if the entity has such a type, else 404"),
    Parameter("id", "5.7.2", _SELECTS, _NAMES, "identifiers (URIs)"),
    Parameter("idPattern", "5.7.2", _SELECTS, _TEXT,
              "a regular expression (RE2 syntax) found anywhere in the identifier"),
    Parameter("q", "4.9", _SELECTS, _TEXT,
              "a condition on attributes; `a{b}` reaches into linked entities where `join` is given"),
    Parameter("expandValues", "4.9", _QUERIES + _TIMES, _NAMES,
              "attributes whose compared values are short names of the @context"),
    Parameter("jsonKeys", "4.9", _QUERIES + _TIMES, _NAMES,
              "attributes whose values are plain JSON",
              "done: keys inside values are kept as they came whether named or not"),
    Parameter("georel", "4.10", _SELECTS, _TEXT,
              "near;maxDistance==m, near;minDistance==m, within, contains, intersects, equals,"
              " disjoint, overlaps"),
    Parameter("geometry", "4.10", _SELECTS, _TEXT, "the GeoJSON type of `coordinates`"),
    Parameter("coordinates", "4.10", _SELECTS, _TEXT, "the coordinates of the reference, as JSON"),
    Parameter("geoproperty", "4.10", _SELECTS, _TEXT, "which GeoProperty is compared; location"),
    Parameter("scopeQ", "4.19", _SELECTS, _TEXT, "scopes, with `+` and `#` as wildcards"),
    Parameter("csf", "4.9", _SELECTS, _TEXT, "a condition on the registrations of sources"),
    # What is shown of them
    Parameter("attrs", "6.4.3.2", _SHOWS + PURGE, _NAMES,
              "attributes that are shown; entities that have none of them are left out"),
    Parameter("pick", "4.21", _SHOWS, _NAMES, "members and attributes that are shown"),
    Parameter("omit", "4.21", _SHOWS, _NAMES, "members and attributes that are not shown"),
    Parameter("lang", "4.15", _SHOWS, _TEXT, "the language in which language maps are shown"),
    Parameter("datasetId", "4.5.5", _SHOWS, _NAMES,
              "instances that are shown; `@none` is the default one"),
    Parameter("geometryProperty", "6.3.15", ENTITY + _QUERIES, _TEXT,
              "which GeoProperty is the geometry of a GeoJSON feature; location. BadRequestData where "
              "the answer is no GeoJSON"),
    Parameter("geometryProperty", "6.4.3.3", PURGE + SOURCES, _TEXT, "as for a query",
              "taken, and without effect: no answer here is GeoJSON"),
    Parameter("join", "4.5.23", ENTITY + _QUERIES, _one_of("flat", "inline", "@none"),
              "linked entities, in the list or inside their relationships"),
    Parameter("joinLevel", "4.5.23", ENTITY + _QUERIES, _POSITIVE,
              "how many relationships deep"),
    Parameter("containedBy", "4.5.23", ENTITY + _QUERIES, _NAMES,
              "identifiers that were met before and are not joined again"),
    # Order and pages
    Parameter("orderBy", "4.23", _QUERIES, _NAMES,
              "members or attributes, each with ;asc, ;desc, ;dist-asc or ;dist-desc"),
    Parameter("collation", "4.23", _QUERIES, _TEXT, "an ICU collation for the order"),
    Parameter("orderBy", "4.23", _TIMES, _TEXT, "`id`, perhaps with ;asc or ;desc"),
    Parameter("collation", "4.23", _TIMES, _TEXT, "an ICU collation for the order"),
    Parameter("orderFrom", "4.23", _QUERIES, _TEXT, "coordinates that distances are taken from"),
    Parameter("orderGeometry", "4.23", _QUERIES, _TEXT, "the GeoJSON type of `orderFrom`"),
    Parameter("limit", "6.3.10", _LISTS, _COUNT,
              "how many at most; 0 only with `count=true`; above limits.max_limit 403"),
    Parameter("offset", "6.3.10", _LISTS, _COUNT, "how many are skipped"),
    Parameter("count", "6.3.13", _LISTS, _FLAG, "the total in NGSILD-Results-Count"),
    Parameter("entityMap", "6.4.3.2", ENTITY + _QUERIES, _FLAG,
              "make an entity map; its place comes in NGSILD-EntityMap"),
    Parameter("entityMapLifetime", "6.4.3.2", ENTITY + _QUERIES, _DURATION,
              "how long the entity map should live"),
    Parameter("entityMap", "6.18.3.2", EVOLUTION + _TIMES, _FLAG,
              "make an entity map; its place comes in NGSILD-EntityMap"),
    Parameter("entityMapLifetime", "6.18.3.2", EVOLUTION + _TIMES, _DURATION,
              "how long the entity map should live"),
    # Time
    Parameter("timerel", "4.11", EVOLUTION + _TIMES + SOURCES, _one_of("before", "after", "between"),
              "how times lie to timeAt"),
    Parameter("timeAt", "4.11", EVOLUTION + _TIMES + SOURCES, _TIME, "the reference, or its begin"),
    Parameter("endTimeAt", "4.11", EVOLUTION + _TIMES + SOURCES, _TIME, "the end of between"),
    Parameter("timeproperty", "4.11", EVOLUTION + _TIMES + SOURCES,
              _one_of("observedAt", "createdAt", "modifiedAt", "deletedAt"), "which time counts"),
    Parameter("lastN", "4.11", EVOLUTION + _TIMES, _POSITIVE,
              "only so many of the newest instances of each attribute"),
    Parameter("aggrMethods", "4.5.19", EVOLUTION + _TIMES, _NAMES,
              "totalCount, distinctCount, sum, avg, min, max, stddev, sumsq"),
    Parameter("aggrPeriodDuration", "4.5.19", EVOLUTION + _TIMES, _DURATION,
              "the length of each period; the whole range"),
    # Writing
    Parameter("observedAt", "6.5.3.4", ("PATCH entities/*",), _TIME,
              "the time of what is merged, where an attribute has one and the body tells none"),
    Parameter("lang", "6.5.3.4", ("PATCH entities/*",), _TEXT,
              "the language of bare texts for language properties"),
    Parameter("keep", "6.4.3.3", PURGE, _NAMES, "attributes that stay; the entities stay too"),
    Parameter("drop", "6.4.3.3", PURGE, _NAMES, "attributes that go; the entities stay"),
    Parameter("datasetId", "4.5.5", ("DELETE entities/*/attrs/*", "DELETE temporal/entities/*/attrs/*"),
              _URI, "the instance that is deleted"),
    Parameter("deleteAll", "6.7.3.2",
              ("DELETE entities/*/attrs/*", "DELETE temporal/entities/*/attrs/*"), _FLAG,
              "every instance is deleted"),
    # Other brokers
    Parameter("local", "6.3.18",
              ENTITY + _QUERIES + ("POST entities",) + PURGE + ONE_ENTITY + ATTRIBUTES
              + ONE_ATTRIBUTE + BATCHES + DISCOVERY + EVOLUTION + _TIMES + TEMPORAL_WRITES,
              _FLAG, "registered sources take no part"),
    Parameter("splitEntities", "6.4.3.2", _QUERIES, _FLAG,
              "whether parts of one entity may stand with several sources"),
    Parameter("splitEntities", "6.18.3.2", _TIMES, _FLAG,
              "whether parts of one entity may stand with several sources",
              "done without filters; true with q, a geo-query or scopes gives OperationNotSupported,"
              " as filters on a past that is spread over sources need all of it"),
    # Discovery, @contexts, snapshots
    Parameter("details", "6.25.3.1", ("GET types", "GET attributes"), _FLAG,
              "what is known of each"),
    Parameter("details", "6.29.3.2", ("GET jsonldContexts", "GET jsonldContexts/*"), _FLAG,
              "what is known of it instead of the @context itself"),
    Parameter("kind", "6.29.3.2", ("GET jsonldContexts",),
              _one_of("Hosted", "Cached", "ImplicitlyCreated"), "only this kind"),
    Parameter("reload", "6.30.3.2", ("DELETE jsonldContexts/*",), _FLAG,
              "fetch a cached one again instead of deleting it"),
    Parameter("q", "6.36.3.2", ("DELETE snapshots",), _TEXT, "a condition on snapshots"),
)  # fmt: skip

_FORMS: Final = ("normalized", "concise", "simplified", "keyValues")
WORDS: Final[tuple[Words, ...]] = (
    Words(ENTITY + _QUERIES, (*_FORMS, "sysAttrs", "count"), _FORMS),
    Words(
        EVOLUTION + _TIMES,
        ("normalized", "concise", "temporalValues", "aggregatedValues", "sysAttrs", "count"),
        ("normalized", "concise", "temporalValues", "aggregatedValues"),
    ),
    Words(SOURCES + SUBSCRIPTIONS + STORED, ("sysAttrs", "count")),
    Words(("PATCH entities/*",), ("simplified", "keyValues"), ("simplified", "keyValues")),
    Words(
        ("POST entities/*/attrs",),
        ("noOverwrite", "simplified", "keyValues"),
        ("simplified", "keyValues"),
    ),
    Words(("PATCH entities/*/attrs",), ("simplified", "keyValues"), ("simplified", "keyValues")),
    Words(("POST entityOperations/upsert",), ("replace", "update")),
    Words(("POST entityOperations/update",), ("noOverwrite",)),
)


class Allowed(NamedTuple):
    """What one operation takes: names of parameters, words of `options`, values of `format`, and
    which parameters are booleans."""

    names: frozenset[str]
    options: frozenset[str]
    formats: frozenset[str]
    flags: frozenset[str]

    def check(self, params: dict[str, str]) -> None:
        """InvalidRequest for a parameter or a word that the operation does not take (§6.3.20),
        BadRequestData for a boolean that is neither true nor false; `True` becomes `true`."""
        if not self.names.issuperset(params):
            unknown = params.keys() - self.names
            raise InvalidRequest(
                f"{min(unknown)[:60]!r} is no parameter of this operation{_these(self.names)}"
            )
        for word in params["options"].split(",") if "options" in params else ():
            if word and word not in self.options:
                raise InvalidRequest(
                    f"options: {word[:40]!r} is not known here{_these(self.options)}"
                )
        word = params.get("format", "")
        if word and word not in self.formats:
            raise InvalidRequest(f"format: {word[:40]!r} is not known here{_these(self.formats)}")
        if not self.flags.isdisjoint(params):
            self._check_flags(params)

    def _check_flags(self, params: dict[str, str]) -> None:
        for name in self.flags & params.keys():
            text = params[name].lower()
            if text not in ("true", "false"):
                raise BadRequestData(f"{name} must be true or false, it is {text[:40]!r}")
            params[name] = text


def _these(names: frozenset[str]) -> str:
    return f"; it takes {', '.join(sorted(names))}" if names else ""


def parameters_of(operation: str) -> list[Parameter]:
    """The rows of an operation ("GET entities/*"), without `options` and `format`."""
    return [row for row in PARAMETERS if operation in row.operations]


def allowed(operation: str) -> Allowed:
    """What an operation ("GET entities/*") takes."""
    rows = parameters_of(operation)
    names = {row.name for row in rows}
    flags = {row.name for row in rows if row.schema is _FLAG}
    options: set[str] = set()
    formats: set[str] = set()
    for row in WORDS:
        if operation in row.operations:
            options |= set(row.options)
            formats |= set(row.formats)
    if options:
        names.add("options")
    if formats:
        names.add("format")
    return Allowed(frozenset(names), frozenset(options), frozenset(formats), frozenset(flags))
