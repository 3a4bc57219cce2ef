"""The composition root: the only package that picks implementations and joins the rooms."""

from rynek.app.city_values import measure_city
from rynek.app.engine import Engine
from rynek.app.tenant import Tenant

__all__ = ["Engine", "Tenant", "measure_city"]
