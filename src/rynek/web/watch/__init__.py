"""Watching the service: its own figures, its health, and who may see them."""

from rynek.web.watch.figures import Figures, Gatherer, TenantFigures
from rynek.web.watch.names import listed
from rynek.web.watch.own import Span, describe
from rynek.web.watch.routes import routes

__all__ = ["Figures", "Gatherer", "Span", "TenantFigures", "describe", "listed", "routes"]
