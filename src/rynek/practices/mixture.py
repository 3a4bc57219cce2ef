"""Mixtures of normal or t distributions: what is known of one number once others are summed out."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from rynek.practices.arrays import Array

__all__ = ["Mixture"]

_HALVINGS = 80


@dataclass(frozen=True)
class Mixture:
    """Parts with `weights` that add up to one, their `centres` and `scales`, each (parts); t
    distributions of `freedom` degrees, or normal ones for None."""

    weights: Array
    centres: Array
    scales: Array
    freedom: int | None = None

    @property
    def mean(self) -> float:
        """Its mean."""
        return float(self.weights @ self.centres)

    @property
    def spread(self) -> float:
        """Its standard deviation."""
        wider = 1.0 if self.freedom is None else self.freedom / max(self.freedom - 2, 1)
        away = self.centres - self.mean
        # Squares of very large or small numbers would be none.
        size = max(float(self.scales.max()), float(np.abs(away).max())) or 1.0
        within = (self.scales / size) ** 2 * wider + (away / size) ** 2
        return size * math.sqrt(float(self.weights @ within))

    def below(self, value: float) -> float:
        """The probability of less than `value`."""
        from scipy.special import ndtr, stdtr

        at = (value - self.centres) / self.scales
        return float(self.weights @ (ndtr(at) if self.freedom is None else stdtr(self.freedom, at)))

    def quantile(self, share: float) -> float:
        """The value below which it lies with that probability, by bisection."""
        reach = 100 * float(self.scales.max()) + float(np.ptp(self.centres))
        low, high = self.mean - reach, self.mean + reach
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            if self.below(middle) < share:
                low = middle
            else:
                high = middle
        return (low + high) / 2

    def p_value(self, value: float = 0.0) -> float:
        """Twice the smaller tail beyond `value`."""
        low = self.below(value)
        return 2 * min(low, 1 - low)
