"""Context source registrations: who else has information, and about what (CIM 009 §5.9, §5.12)."""

from rynek.context.registrations.discover import csf_test, names_asked_for
from rynek.context.registrations.health import Counters, SourceHealth
from rynek.context.registrations.match import (
    Match,
    MatchedInfo,
    RegistrationIndex,
    RegistrationSpec,
    TemporalSpan,
    match,
)
from rynek.context.registrations.model import (
    AUXILIARY,
    EXCLUSIVE,
    INCLUSIVE,
    REDIRECT,
    EntityInfo,
    Interval,
    KeyValue,
    Management,
    Registration,
    RegistrationInfo,
)
from rynek.context.registrations.parse import parse_registration, patched_registration
from rynek.context.registrations.registry import Registrations
from rynek.context.registrations.render import render_registration

__all__ = [
    "AUXILIARY",
    "EXCLUSIVE",
    "INCLUSIVE",
    "REDIRECT",
    "Counters",
    "EntityInfo",
    "Interval",
    "KeyValue",
    "Management",
    "Match",
    "MatchedInfo",
    "Registration",
    "RegistrationIndex",
    "RegistrationInfo",
    "RegistrationSpec",
    "Registrations",
    "SourceHealth",
    "TemporalSpan",
    "csf_test",
    "match",
    "names_asked_for",
    "parse_registration",
    "patched_registration",
    "render_registration",
]
