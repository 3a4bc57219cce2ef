"""Something that fails again and again: told in the log when it begins, changes and ends."""

from __future__ import annotations

import logging
import time

from rynek.base.log import one_line


class Trouble:
    """One kind of failure; `error` is empty while all is well, `times` counts since the start.

    `note` gives the seconds to wait before the next try: doubled with each, up to `longest`.
    """

    def __init__(
        self, what: str, logger: logging.Logger, *, shortest: float = 1.0, longest: float = 30.0
    ) -> None:
        self.error = ""
        self.times = 0
        self._what = what
        self._logger = logger
        self._shortest = shortest
        self._longest = longest
        self._pause = shortest
        self._since: float | None = None

    @property
    def seconds(self) -> float:
        """How long it has been failing; 0 while all is well."""
        return 0.0 if self._since is None else time.monotonic() - self._since

    def note(self, error: BaseException) -> float:
        """It failed once more; how long to wait."""
        told = one_line(f"{type(error).__name__}: {error}".split("\n\n", maxsplit=1)[0])[:500]
        if told != self.error:
            self._logger.error("%s failed: %s", self._what, told)
            self._logger.debug("where it failed", exc_info=error)
        self.error = told
        self.times += 1
        if self._since is None:
            self._since = time.monotonic()
        pause, self._pause = self._pause, min(2 * self._pause, self._longest)
        return pause

    def over(self) -> None:
        """It worked."""
        if self._since is not None:
            self._logger.warning("%s works again, after %.0f s", self._what, self.seconds)
        self.error, self._since, self._pause = "", None, self._shortest
