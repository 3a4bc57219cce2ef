"""A disk that refuses while a process runs on it: refuse.c, told by a file what to refuse.

FULL, READ_ONLY and NO_SYNC are an errno and the operations that it comes for.
"""

from __future__ import annotations

import errno
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FULL = (errno.ENOSPC, "wcmr")
READ_ONLY = (errno.EROFS, "wcotrmu")
NO_SYNC = (errno.EIO, "s")


class Refusal:
    """Built into `tools`; processes started with `environment` obey it below `root`."""

    def __init__(self, tools: Path, root: Path) -> None:
        self._library = tools / "refuse.so"
        self._control = tools / "refuse"
        self.root = root
        source = Path(__file__).with_name("refuse.c")
        command = ["cc", "-shared", "-fPIC", "-O1", "-o", str(self._library), str(source), "-ldl"]
        subprocess.run(command, check=True, capture_output=True)

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs in its environment."""
        return {
            "LD_PRELOAD": str(self._library),
            "REFUSE_ROOT": str(self.root),
            "REFUSE_CONTROL": str(self._control),
        }

    def start(self, what: tuple[int, str], part: str = "") -> None:
        """Refuse from now on, on paths that contain `part`."""
        draft = self._control.with_suffix(".new")
        draft.write_text(f"{what[0]} {what[1]} {part}")
        draft.replace(self._control)

    def stop(self) -> None:
        """Let everything pass again."""
        self._control.unlink(missing_ok=True)

    @contextmanager
    def on(self, what: tuple[int, str], part: str = "") -> Iterator[None]:
        """Refuse for a while."""
        self.start(what, part)
        try:
            yield
        finally:
            self.stop()
