"""The order of messages: kept per entity, free otherwise, whole around a message about all."""

from __future__ import annotations

import zlib

from hypothesis import given
from hypothesis import strategies as st

from rynek.context.store.outbox import Message
from rynek.context.subscriptions.order import Item, Order, entity_keys, pack_keys


def item(n: int, *entities: str) -> Item:
    """A message about these entities; about all without any."""
    about = pack_keys(zlib.crc32(one.encode()) for one in entities)
    return Item(Message(n, "t", 0, about, b"", b""), entity_keys(about))


def test_messages_about_one_entity_leave_one_after_the_other() -> None:
    order = Order()
    first, second, other = item(1, "a"), item(2, "a", "b"), item(3, "c")
    assert [order.push(one) for one in (first, second, other)] == [True, False, True]
    third = item(4, "b")
    assert not order.push(third)
    assert order.done(other) == []
    assert order.done(first) == [second]
    assert order.done(second) == [third]


def test_a_message_about_all_waits_for_all_and_all_wait_for_it() -> None:
    order = Order()
    before, barrier, after = item(1, "a"), item(2), item(3, "b")
    assert [order.push(one) for one in (before, barrier, after)] == [True, False, False]
    assert order.done(before) == [barrier]
    assert not order.push(item(4, "z"))
    assert [one.message.n for one in order.done(barrier)] == [3, 4]


def test_keys_of_many_entities_are_those_of_all() -> None:
    assert pack_keys(range(257)) == b""
    assert len(entity_keys(pack_keys(range(256)))) == 256
    assert entity_keys(pack_keys([5, 5])) == (b"\x00\x00\x00\x05",)


@given(
    st.lists(st.sets(st.sampled_from("abcd"), max_size=3), max_size=12),
    st.randoms(use_true_random=False),
)
def test_every_message_leaves_once_and_never_before_an_older_one_it_shares_with(
    entities: list[set[str]], draw: object
) -> None:
    order = Order()
    items = [item(n, *sorted(names)) for n, names in enumerate(entities)]
    ready: list[Item] = []
    left: list[int] = []
    waiting = list(items)
    choose = draw.random  # type: ignore[attr-defined]
    while waiting or ready:
        if waiting and (not ready or choose() < 0.5):
            one = waiting.pop(0)
            if order.push(one):
                ready.append(one)
            continue
        one = ready.pop(int(choose() * len(ready)))
        left.append(one.message.n)
        ready.extend(order.done(one))
    assert sorted(left) == list(range(len(items)))
    for later in range(len(items)):
        for earlier in range(later):
            shared = entities[later] & entities[earlier]
            if shared or not entities[later] or not entities[earlier]:
                assert left.index(earlier) < left.index(later)
