"""ICU collations: which tags are, and in which order they put texts."""

from __future__ import annotations

import pytest

from rynek.base.collation import ROOT, is_collation, sort_keys


@pytest.mark.parametrize(
    "tag",
    ["und", "und-x-icu", "root", "de", "de_AT", "de-u-co-phonebk", "und-u-ks-identic",
     "und-u-ks-level1-kn", "zh-Hans-CN-u-co-pinyin", "sl-rozaj", "en-US-u-kf-upper-x-own",
     "de-1996-u-kn-true-ks-level2"],
)  # fmt: skip
def test_collations(tag: str) -> None:
    assert is_collation(tag)
    assert len(sort_keys(["a", "b"], tag)) == 2


@pytest.mark.parametrize(
    "tag",
    ["", "-", "1", "x", "klingon", "invalid", "de-", "de;DROP", "und-u-ks-level9", "und-u-co-none",
     "en-u-kn-maybe", "de--AT", "a" * 200, "de-u", "dé"],
)  # fmt: skip
def test_what_is_no_collation(tag: str) -> None:
    assert not is_collation(tag)


def in_order(texts: list[str], tag: str = ROOT) -> list[str]:
    keys = dict(zip(texts, sort_keys(texts, tag), strict=True))
    return sorted(texts, key=keys.__getitem__)


def test_texts_come_as_people_look_for_them() -> None:
    texts = ["zebra", "Ärger", "apple", "Zoo", "łaska", "10", "Ostrów", "ad", "Öl", "9", "af"]
    assert in_order(texts) == [
        "10", "9", "ad", "af", "apple", "Ärger", "łaska", "Öl", "Ostrów", "zebra", "Zoo",
    ]  # fmt: skip
    assert in_order(["10", "9"], "und-u-kn") == ["9", "10"]
    assert in_order(["af", "Ä", "ad"], "de-u-co-phonebk") == ["ad", "Ä", "af"]
    assert in_order(["z", "ö"], "sv") == ["z", "ö"]
    assert in_order(["chata", "cukr", "had"], "cs") == ["cukr", "had", "chata"]
    same = sort_keys(["résumé", "RESUME"], "und-u-ks-level1")
    assert same[0] == same[1]
    assert sort_keys([]) == []
    with pytest.raises(ValueError, match="no ICU collation"):
        sort_keys(["a"], "und-u-ks-level9")
