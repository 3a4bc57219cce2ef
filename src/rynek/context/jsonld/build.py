"""Local context objects → CompiledContext (JSON-LD 1.1 API §4.1, §4.2, without scoped contexts)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from rynek.base.errors import BadRequestData
from rynek.context.jsonld.compiled import CompiledContext, Definition, Snapshot
from rynek.context.jsonld.core import core_terms

MAX_TERMS: Final = 50_000
_GEN_DELIMS: Final = frozenset(":/?#[]@")
_KEYWORDS: Final = frozenset(
    [
        "@base",
        "@container",
        "@context",
        "@direction",
        "@graph",
        "@id",
        "@import",
        "@included",
        "@index",
        "@json",
        "@language",
        "@list",
        "@nest",
        "@none",
        "@prefix",
        "@propagate",
        "@protected",
        "@reverse",
        "@set",
        "@type",
        "@value",
        "@version",
        "@vocab",
    ]
)
_ALIASES: Final = {"id": "@id", "type": "@type"}


def compile_context(
    parts: Sequence[dict[str, Any] | None], source: str | list[Any] | dict[str, Any] | None
) -> CompiledContext:
    """Compile flat local contexts (no URLs, no @import left) followed by the core context.

    `parts` apply in order, None resets what stands before it; `source` is what the client named,
    None for the core context alone. BadRequestData says which term cannot be done.
    """
    builder = _Builder()
    for part in parts:
        if part is None:
            builder = _Builder()
            continue
        try:
            builder.apply(part)
        except RecursionError:
            raise BadRequestData("the @context defines terms through too many others") from None
    builder.apply(core_terms(), core=True)
    return CompiledContext(Snapshot(builder.vocab, builder.terms, source))


class _Builder:
    """The active context while local ones are applied to it."""

    def __init__(self) -> None:
        self.vocab = ""
        self.terms: dict[str, Definition] = {}
        self._protected: set[str] = set()

    def apply(self, local: dict[str, Any], *, core: bool = False) -> None:
        """Apply one local context object; the core context may redefine anything."""
        if len(self.terms) + len(local) > MAX_TERMS:
            raise BadRequestData(f"@context with more than {MAX_TERMS} terms")
        if "@import" in local:
            raise BadRequestData("@import stands where it cannot be loaded")
        if "@vocab" in local:
            self.vocab = self._vocabulary(local["@vocab"], local)
        done: dict[str, bool] = {}
        for term in local:
            if term[:1] != "@":
                self._define(term, local, done, core=core)

    def _vocabulary(self, value: Any, local: dict[str, Any]) -> str:
        if value is None:
            return ""
        if not isinstance(value, str):
            raise BadRequestData("@vocab in the @context is not a string")
        if ":" not in value:
            return self.vocab + value
        return self._iri(value, local, {}, core=False)

    def _define(
        self, term: str, local: dict[str, Any], done: dict[str, bool], *, core: bool
    ) -> None:
        state = done.get(term)
        if state:
            return
        if state is False:
            raise BadRequestData(f"the @context defines {term[:80]!r} through itself")
        if not term:
            raise BadRequestData("the @context defines an empty term")
        done[term] = False
        definition = self._definition(term, local, done, core=core)
        protected = local.get("@protected") is True
        known = self.terms.get(term)
        if term in self._protected and not core and known != definition:
            raise BadRequestData(f"the @context redefines the protected term {term[:80]!r}")
        if protected and not core:
            self._protected.add(term)
        self.terms[term] = definition
        done[term] = True

    def _definition(
        self, term: str, local: dict[str, Any], done: dict[str, bool], *, core: bool
    ) -> Definition:
        value = local[term]
        if value is None:
            return Definition(None)
        if isinstance(value, str):
            iri = self._iri(value, local, done, core=core, own=term)
            prefix = ":" not in term and iri[-1:] in _GEN_DELIMS
            return Definition(self._keyword(term, iri), prefix)
        if not isinstance(value, dict):
            raise BadRequestData(
                f"the @context's definition of {term[:80]!r} is no term definition"
            )
        if "@reverse" in value or "@nest" in value or ("@context" in value and not core):
            raise BadRequestData(
                f"the @context's term {term[:80]!r} has a scoped context, @reverse or @nest: "
                "not supported"
            )
        return self._object(term, value, local, done, core=core)

    def _object(
        self,
        term: str,
        value: dict[str, Any],
        local: dict[str, Any],
        done: dict[str, bool],
        *,
        core: bool,
    ) -> Definition:
        coercion = value.get("@type")
        if coercion is not None:
            if not isinstance(coercion, str):
                raise BadRequestData(f"the @type of the @context's term {term[:80]!r} is no string")
            coercion = self._coercion(coercion, local, done, core=core)
        name = value.get("@id", term)
        if name is None:
            return Definition(None, coercion=coercion)
        if not isinstance(name, str):
            raise BadRequestData(f"the @id of the @context's term {term[:80]!r} is no string")
        iri = self._keyword(term, self._iri(name, local, done, core=core, own=term))
        return Definition(iri, value.get("@prefix") is True, coercion)

    def _coercion(
        self, name: str, local: dict[str, Any], done: dict[str, bool], *, core: bool
    ) -> str | None:
        """The IRI of a data type; a name of the core context, which is applied last, stays open."""
        if core or name in _KEYWORDS or ":" in name or name in local or name in self.terms:
            return self._iri(name, local, done, core=core)
        return self.vocab + name if self.vocab else None

    def _keyword(self, term: str, iri: str) -> str:
        if iri[:1] == "@" and _ALIASES.get(term) != iri:
            raise BadRequestData(f"the @context gives {iri} the name {term[:80]!r}: not supported")
        return iri

    def _iri(
        self,
        name: str,
        local: dict[str, Any],
        done: dict[str, bool],
        *,
        core: bool,
        own: str | None = None,
    ) -> str:
        """Expand a name inside a context, defining what it depends on first."""
        if name in _KEYWORDS:
            return name
        if name != own and name in local and name[:1] != "@":
            self._define(name, local, done, core=core)
        known = self.terms.get(name) if name != own else None
        if known is not None and known.iri is not None:
            return known.iri
        prefix, colon, rest = name.partition(":")
        if colon and not rest.startswith("//"):
            if prefix in local and prefix[:1] != "@":
                self._define(prefix, local, done, core=core)
            base = self.terms.get(prefix)
            return base.iri + rest if base and base.prefix and base.iri else name
        if colon:
            return name
        if not name or not self.vocab:
            raise BadRequestData(
                f"the @context's {(own or name)[:80]!r} leads to no IRI: {name[:80]!r}"
            )
        return self.vocab + name
