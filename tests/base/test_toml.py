"""TOML from outside: what the standard parser would choke on is refused at once."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rynek.base.toml import load_toml


@pytest.mark.parametrize(
    "text",
    [
        ".".join("a" * 100_000) + " = 1",
        "[" + " . ".join(["a"] * 50_000) + "]",
        ".".join(["'a'"] * 30_000) + " = 1",
        "a = " + "[" * 50_000,
        "a = " + "9" * 5_000,
        "a = {" * 20_000,
        "a" * 200_000,
        '"' * 200_000,
    ],
)
def test_a_bomb_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        load_toml(text)


def test_prose_with_dots_passes() -> None:
    text = f'a.b.c = "{"Two words. " * 500}{"." * 500}"\nd = "1.2.3.4.5"'
    assert load_toml(text) == tomllib.loads(text)


@given(st.text(alphabet="ab.=[]{}\"'\n 1#", max_size=60))
def test_any_text_is_read_as_the_standard_library_reads_it(text: str) -> None:
    try:
        wanted = tomllib.loads(text)
    except ValueError:
        with pytest.raises(ValueError, match=r"\S"):
            load_toml(text)
    else:
        assert load_toml(text) == wanted
