"""Tokens on a disk that fails for a while."""

from __future__ import annotations

from pathlib import Path

import pytest

from rynek.base.errors import Damaged
from rynek.web import Access, TokenStore


def test_tokens_are_known_again_once_their_file_is(tmp_path: Path) -> None:
    path = tmp_path / "system.db"
    first = TokenStore(path)
    head = "Bearer " + first.create("a", ("admin",))
    first.close()
    whole = path.read_bytes()
    path.write_bytes(b"no database" * 1000)
    tokens = TokenStore(path)
    access = Access("none", tokens)
    with pytest.raises(Damaged):
        tokens.all()
    assert not access.may(head, "read", "default")
    assert not access.may_watch(head, local=True)
    path.write_bytes(whole)
    assert access.may(head, "read", "default")
    assert access.may_watch(head, local=True)
    assert [one.name for one in tokens.all()] == ["a"]
    tokens.close()


def test_a_failure_that_passes_leaves_the_tokens_known(tmp_path: Path) -> None:
    path = tmp_path / "system.db"
    tokens, other = TokenStore(path), TokenStore(path)
    secret = tokens.create("a", ("read",))
    assert tokens.find(secret)
    other.create("b", ("read",))
    other._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    whole = path.read_bytes()
    path.write_bytes(b"\xff" * len(whole))
    with pytest.raises(Damaged):
        tokens.find(secret)
    path.write_bytes(whole)
    assert tokens.find(secret)
    tokens.close()
    other.close()
