"""Surveys on the web: the pages that a link opens, and the results of public ones."""

from rynek.web.surveys.answer import routes

__all__ = ["routes"]
