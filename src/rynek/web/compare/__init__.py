"""The pages that compare cities and regions by an index that says how sure it is."""

from rynek.web.compare.routes import routes

__all__ = ["routes"]
