"""What a failing disk is called, also where it may not even be looked at."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import apsw
import pytest
from tests.disks import unseen

from rynek.base.errors import InsufficientStorage
from rynek.base.storage import ReadOnly, is_full, storage_problem

FAULT = apsw.IOError("disk I/O error")


def test_a_disk_that_says_nothing_of_its_files_is_one_that_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "stat", unseen("state.db"))
    problem = storage_problem(FAULT, tmp_path / "state.db")
    assert problem is not None
    assert "fails" in problem.detail


def test_of_a_disk_that_nobody_named_it_is_not_said_that_it_is_read_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:

    def forbidden(*_: Any) -> int:  # where a service stands: / of another user, or read-only
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(os, "open", forbidden)
    problem = storage_problem(FAULT)
    assert problem is not None
    assert not isinstance(problem, ReadOnly)


def test_a_disk_without_room_to_read_a_database_is_full_and_does_not_fail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not is_full(tmp_path)
    assert not list(tmp_path.iterdir())

    def write(_file: int, told: bytes) -> int:  # what was left took a part of it
        return len(told) // 2

    monkeypatch.setattr(os, "write", write)
    assert isinstance(storage_problem(FAULT, tmp_path / "state.db"), InsufficientStorage)
