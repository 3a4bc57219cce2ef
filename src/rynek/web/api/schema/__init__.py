"""JSON Schemas (2020-12) of the standard's data types, for the OpenAPI document."""

from typing import Final

from rynek.web.api.schema import entities, results, stored
from rynek.web.api.schema.kit import Schema, listed, ref

SCHEMAS: Final[Schema] = dict(sorted((entities.SCHEMAS | results.SCHEMAS | stored.SCHEMAS).items()))

__all__ = ["SCHEMAS", "Schema", "listed", "ref"]
