"""Compiled JSON-LD @contexts: terms to IRIs and back in one dictionary look-up (CIM 009 §4.4, §5.5.7).

The full JSON-LD algorithm is not needed for NGSI-LD names: a context is flattened once into two
dictionaries. What that cannot express (scoped contexts, reverse properties, keyword aliases beyond
`id` and `type`) is refused with BadRequestData when the context is compiled.
"""

from rynek.context.jsonld.build import compile_context
from rynek.context.jsonld.compiled import CompiledContext
from rynek.context.jsonld.core import CORE_URL, core_context, is_core_url
from rynek.context.jsonld.link import link_header, parse_link_header

__all__ = [
    "CORE_URL",
    "CompiledContext",
    "compile_context",
    "core_context",
    "is_core_url",
    "link_header",
    "parse_link_header",
]
