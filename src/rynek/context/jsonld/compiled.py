"""A compiled @context: immutable definitions with bounded memories of what was asked before."""

from __future__ import annotations

from hashlib import sha256
from typing import Any, Final

import msgspec

from rynek.base.errors import BadRequestData
from rynek.base.typed import decode
from rynek.context.jsonld.names import is_term, is_uri
from rynek.context.model import NGSI_LD

MEMORY: Final = 8192
CORE_URL: Final = "https://uri.etsi.org/ngsi-ld/v1/ngsi-ld-core-context-v1.9.jsonld"

# IRIs of metadata and system members: neither an attribute nor one of an attribute may be called
# so (CIM 009 §4.5.1); and of the members that hold values, which only attributes of attributes
# may not be called (published models have an attribute "value").
RESERVED_IRIS: Final = frozenset(
    NGSI_LD + name
    for name in [
        "createdAt",
        "modifiedAt",
        "deletedAt",
        "expiresAt",
        "scope",
        "datasetId",
        "instanceId",
        "observedAt",
        "unitCode",
        "lang",
        "hasObjectType",
        "hasValueType",
        "hasPreviousValue",
        "hasPreviousObject",
        "hasPreviousLanguageMap",
        "hasPreviousJson",
        "hasPreviousVocab",
        "hasPreviousValueList",
        "hasPreviousObjectList",
    ]
)
VALUE_IRIS: Final = frozenset(
    NGSI_LD + name
    for name in [
        "hasValue",
        "hasObject",
        "hasLanguageMap",
        "hasJSON",
        "hasVocab",
        "hasValueList",
        "hasObjectList",
        "hasDataset",
        "entity",
        "entityList",
    ]
)


class Definition(msgspec.Struct, array_like=True, frozen=True):
    """What a term means: its IRI (None: mapped to nothing), whether it is a prefix, its coercion."""

    iri: str | None
    prefix: bool = False
    coercion: str | None = None


class Snapshot(msgspec.Struct, frozen=True):
    """Everything a compiled context knows, for storing it: the same snapshot is the same context."""

    vocab: str
    terms: dict[str, Definition]
    source: Any


class CompiledContext:
    """Short names to IRIs and back; the core context's terms always win (CIM 009 §4.4).

    `id` is a hash of the content, so data that refer to it keep their meaning when the remote
    document changes. `link_value` is the client's URL, array or object; `member` what stands in
    the "@context" of a response (with the core context last); `link` the URL for a Link header,
    or None when the context is no single URL and the broker has to host it under its id.
    `attributes`, `subs`, `types`, `kinds` and `shorts` are the memories that hot code looks into before it
    calls the method of the same purpose; nobody else writes to them. `uses` and `last_used` (epoch
    microseconds) are counted by whoever resolves a client's context to this one.
    """

    __slots__ = (
        "_inverse",
        "_prefixes",
        "_snapshot",
        "attributes",
        "id",
        "kinds",
        "last_used",
        "link",
        "link_value",
        "member",
        "shorts",
        "subs",
        "suffix",
        "types",
        "uses",
    )

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self.id = sha256(self.dump()).hexdigest()[:32]
        source = snapshot.source
        self.link_value: str | list[Any] | dict[str, Any] = CORE_URL if source is None else source
        self.link = self.link_value if isinstance(self.link_value, str) else None
        parts = source if isinstance(source, list) else [source]
        self.member: str | list[Any] = CORE_URL if source is None else [*parts, CORE_URL]
        self.suffix = b',"@context":' + msgspec.json.encode(self.member) + b"}"
        self.attributes: dict[str, str] = {}
        self.subs: dict[str, str] = {}
        self.kinds: dict[str, str] = {}
        self.types: dict[str, str] = {}
        self.shorts: dict[str, str] = {}
        self.uses = 0
        self.last_used = 0
        self._prefixes = sorted(
            ((d.iri, term) for term, d in snapshot.terms.items() if d.prefix and d.iri),
            key=lambda pair: (-len(pair[0]), len(pair[1]), pair[1]),
        )
        self._inverse = _inverse(snapshot.terms)

    @property
    def terms(self) -> dict[str, str]:
        """Every defined term with its IRI, for people who look at a context."""
        return {t: d.iri for t, d in self._snapshot.terms.items() if d.iri is not None}

    def coercion(self, term: str) -> str | None:
        """The `@type` of a term's definition: `@id`, `@vocab`, a data type's IRI, or None."""
        definition = self._snapshot.terms.get(term)
        return definition.coercion if definition else None

    def dump(self) -> bytes:
        """The whole content as JSON, to be stored under `id`; `load` is the inverse."""
        return msgspec.json.encode(self._snapshot, order="deterministic")

    @classmethod
    def load(cls, dumped: bytes) -> CompiledContext:
        """The context that `dump` wrote, with the same id."""
        return cls(decode(dumped, Snapshot))

    def expand_term(self, term: str) -> str:
        """The IRI of an attribute name, a type name or a vocabulary value.

        Absolute IRIs and unknown prefixes pass through; a name that no context defines falls into
        the default vocabulary. BadRequestData for keywords and terms mapped to null.
        """
        iri = self.kinds.get(term)
        return iri if iri is not None else _remember(self.kinds, term, self._expand(term))

    def compact_iri(self, iri: str) -> str:
        """The shortest name for `iri` that `expand_term` turns back into `iri`."""
        name = self.shorts.get(iri)
        return name if name is not None else _remember(self.shorts, iri, self._compact(iri))

    def attribute(self, name: str) -> str:
        """The IRI of an entity's attribute; BadRequestData when the name is none (§4.6.2)."""
        iri = self.attributes.get(name)
        if iri is None:
            iri = self._legal(name)
            if iri in RESERVED_IRIS:
                raise BadRequestData(f"{name[:80]!r} is not the name of an attribute")
            _remember(self.attributes, name, iri)
        return iri

    def sub_attribute(self, name: str) -> str:
        """The IRI of an attribute of an attribute; BadRequestData when the name is none."""
        iri = self.subs.get(name)
        if iri is None:
            iri = self._legal(name)
            if iri in RESERVED_IRIS or iri in VALUE_IRIS:
                raise BadRequestData(f"{name[:80]!r} is not the name of an attribute")
            _remember(self.subs, name, iri)
        return iri

    def entity_type(self, name: str) -> str:
        """The IRI of an entity type; BadRequestData when the name is not legal (§4.6.2)."""
        iri = self.types.get(name)
        return iri if iri is not None else _remember(self.types, name, self._legal(name))

    def _legal(self, name: str) -> str:
        iri = self.expand_term(name)
        if not is_uri(iri) or not (is_term(name) or "://" in name or name[:4] == "urn:"):
            raise BadRequestData(f"not a legal name: {name[:80]!r}")
        return iri

    def _expand(self, term: str) -> str:
        if not term or term[0] == "@":
            raise BadRequestData(f"not a name: {term[:80]!r}")
        definition = self._snapshot.terms.get(term)
        if definition is not None:
            if definition.iri is None or definition.iri[0] == "@":
                raise BadRequestData(f"the @context does not let {term!r} be a name")
            return definition.iri
        prefix, colon, rest = term.partition(":")
        if not colon:
            return self._snapshot.vocab + term
        definition = self._snapshot.terms.get(prefix)
        if definition is None or not definition.prefix or rest.startswith("//"):
            return term
        return (definition.iri or "") + rest

    def _compact(self, iri: str) -> str:
        name = self._inverse.get(iri)
        if name is not None:
            return name
        vocab = self._snapshot.vocab
        if iri.startswith(vocab) and self._means(iri[len(vocab) :], iri):
            return iri[len(vocab) :]
        for base, prefix in self._prefixes:
            if iri.startswith(base) and self._means(f"{prefix}:{iri[len(base) :]}", iri):
                return f"{prefix}:{iri[len(base) :]}"
        if self._means(iri, iri):
            return iri
        raise BadRequestData(f"the @context takes the IRI {iri[:200]!r} for a prefixed name")

    def _means(self, name: str, iri: str) -> bool:
        if not name or name[0] == "@":
            return False
        definition = self._snapshot.terms.get(name)
        return (definition is None or definition.iri is not None) and self._safe(name) == iri

    def _safe(self, name: str) -> str | None:
        try:
            return self._expand(name)
        except BadRequestData:
            return None


def _inverse(terms: dict[str, Definition]) -> dict[str, str]:
    """IRI → the shortest term for it, alphabetically first among equals (JSON-LD 1.1 §4.3)."""
    inverse: dict[str, str] = {}
    for term in sorted(terms, key=lambda t: (len(t), t), reverse=True):
        iri = terms[term].iri
        if iri is not None and iri[0] != "@":
            inverse[iri] = term
    return inverse


def _remember(memory: dict[str, str], key: str, value: str) -> str:
    if len(memory) >= MEMORY:
        memory.clear()
    memory[key] = value
    return value
