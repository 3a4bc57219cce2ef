"""Bytes: compressed, archived, in old encodings; bounded."""

from __future__ import annotations

import gzip
import io
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rynek.feeds.kit import distance_m, gunzip, inflate, number, place_problem, tar_members, text


def test_gzip_of_several_members_is_joined_and_bounded() -> None:
    data = gzip.compress(b"abc") + gzip.compress(b"def")
    assert inflate(data, 6) == b"abcdef"
    with pytest.raises(ValueError, match="more than 5 bytes"):
        inflate(data, 5)
    with pytest.raises(ValueError, match="ends early"):
        gunzip(data[:-4], 100)
    assert inflate(b"plain", 5) == b"plain"


@given(st.binary(max_size=200))
def test_broken_gzip_is_a_value_error(noise: bytes) -> None:
    try:
        inflate(b"\x1f\x8b" + noise, 1000)
    except ValueError:
        return


def test_tar_members_in_order() -> None:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as archive:
        for name, content in (("b", b"1"), ("a", b"22")):
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    assert list(tar_members(made.getvalue(), 100_000)) == [("b", b"1"), ("a", b"22")]
    with pytest.raises(ValueError, match="not a readable tar"):
        list(tar_members(b"x" * 600, 100_000))


@pytest.mark.parametrize(
    ("words", "encoding"),
    [
        ("Příliš žluťoučký kůň", "cp1250"),
        ("Zażółć gęślą jaźń", "cp1250"),
        ("Київ, вулиця Хрещатик", "cp1251"),
        ("София, бул. Витоша; id,name", "cp1251"),
        ("Příliš žluťoučký", "utf-8"),
        ("Київ", "utf-8-sig"),
        ("Plzeň", "utf-16"),
    ],
)
def test_encodings_are_recognised(words: str, encoding: str) -> None:
    assert text(words.encode(encoding)) == (words, encoding)


def test_numbers() -> None:
    assert number("1 234,5", comma=True) == 1234.5
    assert number("12.5") == 12.5
    assert number("nan") is None and number("x") is None and number(True) is None


def test_places() -> None:
    assert place_problem(0.0, 0.0, None) == "position-zero"
    assert place_problem(200.0, 0.0, None) == "position-invalid"
    assert place_problem(float("nan"), 0.0, None) == "position-invalid"
    assert place_problem(16.0, 52.0, (17.0, 50.0, 18.0, 53.0)) == "position-outside"
    assert place_problem(17.5, 52.0, (17.0, 50.0, 18.0, 53.0)) is None
    assert distance_m(14.42, 50.09, 16.92, 52.41) == pytest.approx(311_000, rel=0.02)
