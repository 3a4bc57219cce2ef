"""Outliers: indicators with both a high skewness and a high kurtosis are treated (JRC practice).

The rule and its limits are those of the JRC's COIN tool; what is clipped and how a scale is bent
is fixed on the data, so that errors in a variant do not move the treatment itself.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from rynek.indicators.arrays import Array, Floats
from rynek.indicators.index.specification import Outliers

__all__ = ["Treatment", "kurtosis", "skewness", "treatment"]

_OFFSET: Final = 0.01
_LEAST_VALUES: Final = 10


def skewness(values: Array) -> float:
    """Sample skewness, corrected for bias (Excel's SKEW); 0 where nothing varies."""
    n = len(values)
    centred = values - values.mean()
    m2 = float((centred**2).mean())
    if n < 3 or m2 == 0:
        return 0.0
    return float((centred**3).mean() / m2**1.5) * math.sqrt(n * (n - 1)) / (n - 2)


def kurtosis(values: Array) -> float:
    """Sample excess kurtosis, corrected for bias (Excel's KURT); 0 where nothing varies."""
    n = len(values)
    centred = values - values.mean()
    m2 = float((centred**2).mean())
    if n < 4 or m2 == 0:
        return 0.0
    plain = float((centred**4).mean()) / m2**2 - 3
    return (n - 1) / ((n - 2) * (n - 3)) * ((n + 1) * plain + 6)


@dataclass(frozen=True)
class Treatment:
    """What is done to one indicator: clipped to `low` … `high`, then bent by `power` (None: not;
    0: a logarithm), mirrored where the tail is on the left. `clipped` values were moved."""

    row: int
    low: float
    high: float
    power: float | None = None
    mirrored: bool = False
    clipped: int = 0

    def apply(self, values: Floats) -> Floats:
        """Values of the indicator, treated."""
        inside = np.clip(values, self.low, self.high)
        if self.power is None:
            return inside
        span = self.high - self.low
        scaled = ((self.high - inside) if self.mirrored else (inside - self.low)) / span + _OFFSET
        bent = np.log(scaled) if self.power == 0 else (scaled**self.power - 1) / self.power
        found: Floats = -bent if self.mirrored else bent
        return found


def treatment(values: Array, how: Outliers, choice: str) -> tuple[Treatment, ...]:
    """Treatments of those rows of (indicators × units) that need one; gaps are left alone."""
    found = []
    for row, every in enumerate(values):
        there = every[~np.isnan(every)]
        # A flag's or a count's rare value is no outlier: clipping it would wipe out what it says.
        if choice == "none" or len(np.unique(there)) < _LEAST_VALUES or not _extreme(there, how):
            continue
        low, high = float(there.min()), float(there.max())
        if choice == "winsorise":
            found.append(_winsorised(row, there, how))
        elif choice == "log":
            found.append(Treatment(row, low, high, 0.0, mirrored=skewness(there) < 0))
        else:
            from scipy import stats

            power = float(
                stats.boxcox_normmax((there - low) / (high - low) + _OFFSET, method="mle")
            )
            found.append(Treatment(row, low, high, 0.0 if abs(power) < 1e-6 else power))
    return tuple(found)


def _extreme(values: Array, how: Outliers) -> bool:
    return abs(skewness(values)) > how.skewness and kurtosis(values) > how.kurtosis


def _winsorised(row: int, values: Array, how: Outliers) -> Treatment:
    """The outermost value on the side of the tail takes its neighbour's, until the shape is in
    bounds or the share of moved values is reached."""
    ordered = np.sort(values)
    low, high = 0, len(ordered) - 1
    most = max(1, int(how.max_share * len(ordered)))
    while len(ordered) - 1 - high + low < most and _extreme(ordered, how):
        right = skewness(ordered) > 0
        if (ordered[low] == ordered[high - 1]) if right else (ordered[low + 1] == ordered[high]):
            break  # one more and nothing would be left that tells units apart
        if right:
            high -= 1
            ordered[high:] = ordered[high]
        else:
            low += 1
            ordered[:low] = ordered[low]
    moved = int((values < ordered[low]).sum() + (values > ordered[high]).sum())
    return Treatment(row, float(ordered[low]), float(ordered[high]), clipped=moved)
