"""Types of numeric arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Array", "Flags", "Floats", "Indexes"]

Array = NDArray[np.float64]
Floats = NDArray[np.floating[Any]]
"""Doubles, or singles where thousands of variants are computed."""
Flags = NDArray[np.bool_]
Indexes = NDArray[np.intp]
