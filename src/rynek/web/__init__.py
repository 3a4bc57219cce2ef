"""HTTP: the NGSI-LD API, pages, sign-in; it sees the other rooms through their faces."""

from rynek.web.access import Access
from rynek.web.asgi import Application
from rynek.web.contract import City, Licence, Recording, parse_city, read_city
from rynek.web.tally import Tally
from rynek.web.tokens import PREFIX as TOKEN_PREFIX
from rynek.web.tokens import SCOPES, Token, TokenStore
from rynek.web.watch import Figures, Gatherer, Span, describe

__all__ = [
    "SCOPES",
    "TOKEN_PREFIX",
    "Access",
    "Application",
    "City",
    "Figures",
    "Gatherer",
    "Licence",
    "Recording",
    "Span",
    "Tally",
    "Token",
    "TokenStore",
    "describe",
    "parse_city",
    "read_city",
]
