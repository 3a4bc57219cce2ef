"""Tokens on a disk that fails for a while."""

from __future__ import annotations

from pathlib import Path

import pytest

from rynek.base.errors import Damaged, Unauthorized
from rynek.practices.cards import Viewer
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


def test_what_a_token_writes_of_practice_cards(tmp_path: Path) -> None:
    tokens = TokenStore(tmp_path / "system.db")
    cities = ("kyiv", "ruse")
    closed, reading, open_ = (Access(right, tokens) for right in ("none", "read", "write"))
    with pytest.raises(Unauthorized):
        closed.viewer(None, cities)
    assert reading.viewer(None, cities) == (Viewer(), "")
    assert open_.viewer(None, cities) == (Viewer(owners=frozenset(cities)), "")
    for scope, owners, admin in (
        ("read", (), False),
        ("write:kyiv", ("kyiv",), False),
        ("write", cities, False),
        ("admin:ruse", ("ruse",), False),
        ("admin", cities, True),
    ):
        secret = tokens.create(scope, (scope,))
        wanted = Viewer(member=True, owners=frozenset(owners), admin=admin)
        assert closed.viewer(f"Bearer {secret}", cities) == (wanted, scope)
    with pytest.raises(Unauthorized):
        open_.viewer("Bearer rynek_wrong", cities)
    tokens.close()
