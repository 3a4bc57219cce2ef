"""Boxes with room: what moves keeps its box for a while, and has more room ahead."""

from __future__ import annotations

import pytest

from rynek.context.store.places import inside, padded


@pytest.mark.parametrize("step", [(0.0005, 0.0), (-0.0004, 0.0003), (0.0, -0.0005)])
def test_who_goes_on_straight_stays_longer(step: tuple[float, float]) -> None:
    x, y = 16.9, 52.4
    box = padded((x, y, x, y), None)
    boxes = 0
    for _ in range(100):
        x, y = x + step[0], y + step[1]
        here = (x, y, x, y)
        if not inside(here, box):
            before, box = box, padded(here, box)
            assert inside(here, box)
            assert box[2] - box[0] == pytest.approx(0.005)
            assert before != box
            boxes += 1
    assert boxes <= 14  # 20 with the same room on all sides


def test_who_turns_round_has_room_behind() -> None:
    box = padded((16.9, 52.4, 16.9, 52.4), padded((16.8, 52.4, 16.8, 52.4), None))
    assert inside((16.899, 52.4, 16.899, 52.4), box)
    assert inside((16.903, 52.4, 16.903, 52.4), box)
    assert not inside((16.898, 52.4, 16.898, 52.4), box)
