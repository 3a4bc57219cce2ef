"""Regular expressions from outside: always RE2 (linear time), bounded in length and memory."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Final

import re2

from rynek.base.errors import BadRequestData, TooComplexQuery

MAX_PATTERN: Final = 1024
_MAX_MEMORY: Final = 1 << 20


@lru_cache(maxsize=256)
def search(pattern: str, parameter: str = "q") -> Callable[[str], bool]:
    """Compile `pattern` → whether it is found anywhere in a text (anchor with `^` and `$`).

    Raises BadRequestData when it is no regular expression, TooComplexQuery when too long.
    """
    if len(pattern) > MAX_PATTERN:
        raise TooComplexQuery(f"{parameter}: a pattern is longer than {MAX_PATTERN} characters")
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MAX_MEMORY
    try:
        # Bytes: a search in str maps every offset back to characters, three times slower.
        found = re2.compile(pattern.encode(), options).search
    except (re2.error, UnicodeEncodeError) as error:
        reason = error.args[0] if error.args else "no regular expression"
        if isinstance(reason, bytes):
            reason = reason.decode("utf-8", "replace")
        raise BadRequestData(f"{parameter}: bad pattern {pattern[:64]!r}: {reason}") from error

    def test(text: str) -> bool:
        try:
            return found(text.encode()) is not None
        except UnicodeEncodeError:
            return False

    return test
