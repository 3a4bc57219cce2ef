"""What the capital's figures rest on: the feeds' contents are what the connectors make of them, and
the comparison finds what is missing."""

from __future__ import annotations

import tomllib

import numpy as np
import pytest
from benchmarks.capital import check
from benchmarks.capital.plan import FEEDS, Feed, updates_per_second
from benchmarks.capital.play import Played

from rynek.base.clock import parse_iso
from rynek.feeds import FeedConfig, Findings, Situation, kind_of
from rynek.feeds.registry import complete

_AT = 1_790_000_000_123_000


@pytest.mark.parametrize("feed", FEEDS, ids=lambda feed: feed.name)
def test_connectors_make_of_a_document_what_is_expected_of_the_state(feed: Feed) -> None:
    given = tomllib.loads(feed.toml("http://127.0.0.1:1"))
    given["bounds"] = tuple(given["bounds"])
    config = complete(FeedConfig(name=feed.name, **given))
    connector = kind_of(feed.kind).connector
    situation = Situation(config, _AT, Findings(), {})
    made = [
        document
        for record in connector.decode(feed.document(range(30), 3, _AT), situation)
        for document in connector.map(record, situation)
    ]
    assert [one["id"] for one in made] == [feed.entity_id(e) for e in range(30)]
    for e, one in enumerate(made):
        for attr, value in zip(feed.attrs, feed.values(e, 3), strict=True):
            shown = one[attr]["value"]
            assert (shown["coordinates"] if attr == "location" else shown) == value
            assert parse_iso(one[attr]["observedAt"]) == feed.stamp(_AT)
        assert all(old != new for old, new in zip(feed.values(e, 2), feed.values(e, 3), strict=True)
                   if not isinstance(new, str))  # fmt: skip


def test_the_rates_are_those_of_a_capital() -> None:
    assert updates_per_second(worst=False, speed=1) == pytest.approx(310, rel=0.05)
    assert updates_per_second(worst=True, speed=1) == pytest.approx(2900, rel=0.05)


def test_what_is_missing_or_doubled_is_found() -> None:
    played = Played(served={"bikes": [(0, _AT), (1, _AT + 10**6)]}, posted={"bins": [(_AT, 1)]})
    told = check.said(played, _AT)
    bikes = next(feed for feed in FEEDS if feed.name == "bikes")
    changed = sum(
        old != new
        for e in range(bikes.total)
        for old, new in zip(bikes.values(e, 0), bikes.values(e, 1), strict=True)
    )
    assert len(told.keys) == changed + 3
    assert check.differences(told.keys, told.keys) == (0, 0)
    assert check.differences(told.keys, told.keys[1:]) == (1, 0)
    assert check.differences(told.keys, np.concatenate([told.keys, told.keys[:2]])) == (0, 2)
