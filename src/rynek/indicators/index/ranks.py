"""Ranks, ties shared."""

from __future__ import annotations

import numpy as np

from rynek.indicators.arrays import Array, Floats

__all__ = ["descending", "positions"]


def positions(values: Floats, *, lowest: bool = False) -> Floats:
    """Ascending ranks from 1 along the last axis of (rows × n); equal values share their mean rank,
    or with `lowest` the lowest of them."""
    if not values.shape[-1]:
        return values.copy()
    order = np.argsort(values, axis=-1)
    ordered = np.take_along_axis(values, order, axis=-1)
    new = np.empty(values.shape, dtype=bool)
    new[..., 0] = True
    np.not_equal(ordered[..., 1:], ordered[..., :-1], out=new[..., 1:])
    place = np.arange(values.shape[-1], dtype=values.dtype)
    found = np.empty_like(values)
    if new.all():
        np.put_along_axis(found, order, np.broadcast_to(place + 1, values.shape), axis=-1)
        return found
    first = np.maximum.accumulate(np.where(new, place, 0), axis=-1)
    if lowest:
        np.put_along_axis(found, order, (first + 1).astype(values.dtype), axis=-1)
        return found
    ends = np.empty_like(new)
    ends[..., -1] = True
    ends[..., :-1] = new[..., 1:]
    last = np.where(ends, place, values.dtype.type(values.shape[-1]))
    last = np.minimum.accumulate(last[..., ::-1], axis=-1)[..., ::-1]
    np.put_along_axis(found, order, ((first + last) / 2 + 1).astype(values.dtype), axis=-1)
    return found


def descending(scores: Floats) -> Array:
    """Ranks of scores, 1 for the highest; equal scores share their mean rank."""
    return np.asarray(positions(-scores), dtype=np.float64)
