"""A small disk that can be filled: a tmpfs, else a loop device, else one that refuses by errno.

Which of them was taken is told, so that nothing is passed over in silence.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import warnings
from collections.abc import Iterator
from pathlib import Path

from .refusal import FULL, Refusal

_CHUNK = 64 * 1024


class Disk:
    """Mounted at `path`; `kind` says what it is."""

    def __init__(self, path: Path, kind: str, refusal: Refusal | None = None) -> None:
        self.path = path
        self.kind = kind
        self._refusal = refusal
        self._ballast = path / ".ballast"

    @property
    def environment(self) -> dict[str, str]:
        """What a process on it needs in its environment."""
        return self._refusal.environment if self._refusal else {}

    def fill(self) -> None:
        """Leave no room."""
        if self._refusal is not None:
            self._refusal.start(FULL)
            return
        with self._ballast.open("ab", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(_CHUNK))
        with self._ballast.open("ab", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(b"\0")

    def free(self) -> None:
        """Make room again."""
        if self._refusal is not None:
            self._refusal.stop()
        self._ballast.unlink(missing_ok=True)


@contextlib.contextmanager
def small_disk(tools: Path, path: Path, megabytes: int) -> Iterator[Disk]:
    """A disk of that size at `path`."""
    path.mkdir()
    kind = _mount(tools, path, megabytes)
    refusal = None if kind else Refusal(tools, path)
    if refusal is not None:
        warnings.warn("nothing may be mounted: a full disk is one that refuses", stacklevel=2)
    try:
        yield Disk(path, kind or "refusal", refusal)
    finally:
        if kind:
            subprocess.run(["umount", "-l", str(path)], check=False, capture_output=True)


def _mount(tools: Path, path: Path, megabytes: int) -> str:
    if os.geteuid() != 0:
        return ""
    size = f"size={megabytes}m"
    if _done("mount", "-t", "tmpfs", "-o", size, "rynek-test", str(path)):
        return "tmpfs"
    image = tools / "disk.img"
    with image.open("wb") as file:
        file.truncate(megabytes << 20)
    if _done("mkfs.ext4", "-q", str(image)) and _done("mount", "-o", "loop", str(image), str(path)):
        return "loop"
    return ""


def _done(*command: str) -> bool:
    with contextlib.suppress(FileNotFoundError):
        return subprocess.run(command, check=False, capture_output=True).returncode == 0
    return False
