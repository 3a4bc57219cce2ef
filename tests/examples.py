"""How many examples Hypothesis makes up. RYNEK_TEST_TIMES multiplies: the suite takes a slice of
what could be tried, and other examples each time."""

import os

TIMES = int(os.environ.get("RYNEK_TEST_TIMES", "1"))
USUAL = 40
"""Examples of a test that names no number of its own."""


def examples(count: int = USUAL) -> int:
    """So many in the suite, as many times more in the long form."""
    return count * TIMES
