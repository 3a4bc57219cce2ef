"""Queries of the live picture: parse → tree → exact test in Python | hints for SQL (CIM 009 §4)."""

from __future__ import annotations

from rynek.context.query.geo import GeoQuery, parse_geo
from rynek.context.query.hints import (
    COMPOUND,
    AnyOf,
    Comparison,
    Hint,
    Key,
    KeyRange,
    comparisons,
    hints,
    index_keys,
    index_path,
    key_ranges,
)
from rynek.context.query.linked import linked_ids, object_ids, wanted_links
from rynek.context.query.literals import BOOLEAN, NUMBER, Literal
from rynek.context.query.match import Predicate, compile_q
from rynek.context.query.ordering import NUMBER as NUMBER_RANK
from rynek.context.query.ordering import Ordering, OrderTerm, Rank, parse_ordering
from rynek.context.query.paths import Path
from rynek.context.query.projection import (
    ENTITY_MEMBERS,
    Projection,
    parse_attrs,
    parse_projection,
)
from rynek.context.query.q import EQ, And, Linked, Or, QNode, Term, format_q, parse_q
from rynek.context.query.query import Query, Selector, parse_ids
from rynek.context.query.scope import ScopeExpr, ScopePattern, parse_scope
from rynek.context.query.tests import (
    Only,
    ValueTest,
    geo_test,
    onlies,
    terms_of,
    truth,
    value_test,
)
from rynek.context.query.types import TypeExpr, parse_types

__all__ = [
    "BOOLEAN",
    "COMPOUND",
    "ENTITY_MEMBERS",
    "EQ",
    "NUMBER",
    "NUMBER_RANK",
    "And",
    "AnyOf",
    "Comparison",
    "GeoQuery",
    "Hint",
    "Key",
    "KeyRange",
    "Linked",
    "Literal",
    "Only",
    "Or",
    "OrderTerm",
    "Ordering",
    "Path",
    "Predicate",
    "Projection",
    "QNode",
    "Query",
    "Rank",
    "ScopeExpr",
    "ScopePattern",
    "Selector",
    "Term",
    "TypeExpr",
    "ValueTest",
    "comparisons",
    "compile_q",
    "format_q",
    "geo_test",
    "hints",
    "index_keys",
    "index_path",
    "key_ranges",
    "linked_ids",
    "object_ids",
    "onlies",
    "parse_attrs",
    "parse_geo",
    "parse_ids",
    "parse_ordering",
    "parse_projection",
    "parse_q",
    "parse_scope",
    "parse_types",
    "terms_of",
    "truth",
    "value_test",
    "wanted_links",
]
