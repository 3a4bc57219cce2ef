"""Whatever a client sends is a subscription or a problem that says why not."""

from __future__ import annotations

import re
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.examples import examples

from rynek.base.errors import Problem
from rynek.context import core_context
from rynek.context.subscriptions import Subscription, kept, new_subscription, render_subscription
from rynek.context.subscriptions.parse import MEMBERS

LD = core_context()
_scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=8),
    st.sampled_from(["urn:ngsi-ld:null", "Bus", "speed>3", "http://a/b", "mqtt://a/b/c", "*",
                     "2030-01-01T00:00:00Z", "near;maxDistance==5", "Point", "[1,2]", "1.5"]),
)  # fmt: skip
_names = st.sampled_from(
    [*MEMBERS, "type", "id", "uri", "endpoint", "format", "attributes", "pick", "omit", "join",
     "joinLevel", "accept", "cooldown", "timeout", "receiverInfo", "notifierInfo", "key", "value",
     "georel", "geometry", "coordinates", "idPattern", "showChanges", "sysAttrs"]
)  # fmt: skip
_json = st.recursive(
    _scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_names, inner, max_size=4),
    max_leaves=12,
)
_GOOD: dict[str, Any] = {
    "type": "Subscription",
    "entities": [{"type": "Bus"}],
    "notification": {"endpoint": {"uri": "http://a/b"}},
}


def attempt(document: dict[str, Any]) -> Subscription | Problem:
    """What a document makes, or what is wrong with it."""
    try:
        return new_subscription(document, LD, link="http://a", tenant=None, now=1)
    except Problem as problem:
        return problem


@settings(max_examples=examples(150), deadline=None)
@given(st.dictionaries(_names, _json, max_size=5), st.booleans())
def test_any_document_is_taken_or_refused_and_comes_back(
    document: dict[str, Any], good: bool
) -> None:
    made = attempt(_GOOD | document if good else document)
    if isinstance(made, Problem):
        assert 400 <= made.status < 500
        assert made.detail
        return
    again = kept.load(kept.dump(made), lambda _: LD)
    shown = render_subscription(made, LD, None, 2, sys_attrs=True)
    assert render_subscription(again, LD, None, 2, sys_attrs=True) == shown


@settings(max_examples=examples(80), deadline=None)
@given(
    st.lists(st.sampled_from(["Bus", "Tram;Old", "(A|B);C", "*"]), min_size=1, max_size=3),
    st.sampled_from(["speed>3", 'a.b[c.d]=="x";(e|f~="^g")', "createdAt>2020-01-01T00:00:00Z",
                     "r{T,U:s{x}}!=5", "x==1..3|y==true,false"]),
    st.lists(st.sampled_from(["id", "speed", "r{x,y}"]), min_size=1, max_size=3),
)  # fmt: skip
def test_names_renamed_and_read_again_mean_the_same(
    types: list[str], q: str, pick: list[str]
) -> None:
    other = type(LD).load(LD.dump())
    document = _GOOD | {
        "entities": [{"type": one} for one in types],
        "q": q,
        "watchedAttributes": ["speed", "other"],
        "notification": {
            "endpoint": {"uri": "http://a/b"}, "pick": pick, "join": "inline", "joinLevel": 3,
        },
    }  # fmt: skip
    made = new_subscription(document, LD, link="http://a", tenant=None, now=1)
    other.id = "another"  # as if under another @context with the same names
    shown = render_subscription(made, other, None, 2, sys_attrs=False)
    again = new_subscription(
        {name: shown[name] for name in document}, LD, link="http://a", tenant=None, now=1
    )
    assert again.selectors == made.selectors
    assert again.query.q is not None
    assert again.watched == made.watched
    assert again.view == made.view
    assert _without_text(again.query.q) == _without_text(made.query.q)


def _without_text(node: Any) -> str:
    """The tree without the names as they were written."""
    return re.sub(r"text='[^']*'", "", repr(node))
