"""Reasons in six languages: every message has its words, and numbers and dates as people write."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rynek.base.messages import LANGUAGES, Catalogue, Message, fields_of
from rynek.indicators.saying import say as indicators
from rynek.practices.saying import say as practices

SOURCE = Path(__file__).resolve().parents[2] / "src" / "rynek"
CATALOGUES = {"practices": practices, "indicators": indicators}
READ = {
    "practices": ("practices", "web/pages", "web/practices"),
    "indicators": ("indicators", "web/compare"),
}
# What is put together elsewhere than in the call of a message.
PUT_TOGETHER = re.compile(r"check-|why-|left-(late|early)$|design-|toml-")


def plain(folder: Path, text: str) -> Catalogue:
    (folder / "some.toml").write_text(text)
    return Catalogue(folder)


def words(text: str) -> str:
    return "\n".join(f'{one} = "{text}"' for one in LANGUAGES)


@pytest.mark.parametrize("room", CATALOGUES)
def test_every_message_has_six_languages_with_the_same_parameters(room: str) -> None:
    catalogue = CATALOGUES[room]
    for name, told in catalogue.entries.items():
        assert tuple(told) == LANGUAGES, name
        for language in LANGUAGES:
            assert fields_of(told[language]) == catalogue.fields[name], (name, language)
            same = told[language] == told["en"] and re.search(
                r"[a-z]{4}", re.sub(r"\{[^}]*\}", "", str(told["en"]))
            )
            assert language == "en" or not same, (name, language)


def called(room: str) -> Iterator[tuple[str, list[str] | None, str]]:
    """Each call of `say` with a constant id: the id, the parameters (None where a mapping is
    unpacked) and where."""
    for path in sorted(one for folder in READ[room] for one in (SOURCE / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args:
                if node.func.id not in {"say", "refuse"}:
                    continue
                first = node.args[0]
                ends = [first.body, first.orelse] if isinstance(first, ast.IfExp) else [first]
                names = [one.arg for one in node.keywords]
                told = None if None in names else [str(one) for one in names]
                for end in ends:
                    if isinstance(end, ast.Constant):
                        yield str(end.value), told, f"{path.name}:{node.lineno}"


@pytest.mark.parametrize("room", CATALOGUES)
def test_what_the_code_says_is_in_the_catalogue_and_nothing_else(room: str) -> None:
    catalogue = CATALOGUES[room]
    found = set()
    for name, told, where in called(room):
        assert name in catalogue.entries, where
        assert told is None or set(told) == catalogue.fields[name].keys(), where
        found.add(name)
    rest = catalogue.entries.keys() - found
    assert not [one for one in rest if not PUT_TOGETHER.match(one)]


def test_numbers_dates_and_names_are_written_as_a_language_does(tmp_path: Path) -> None:
    say = plain(
        tmp_path,
        "[a]\n" + words("{x:3} {n:n} {s:%} {d:period} {m:period} {who:name} {some:names}"),
    )
    told = say(
        "a", x=-1234.56, n=12345, s=0.256, d="2024-05-01", m="2019-05", who="p1", some=["p1", "b"]
    )
    assert str(told) == "-1235 12345 26% 2024-05-01 2019-05 'p1' 'p1', 'b'"
    assert told.text("en") == "−1,235 12,345 26% 1 May 2024 May 2019 “p1” “p1”, “b”"
    czech = told.text("cs", {"p1": "Náměstí"}).replace("\xa0", " ")
    assert czech == "−1 235 12 345 26 % 1. 5. 2024 5/2019 „Náměstí“ „Náměstí“, „b“"
    assert told.text("xx") == told.text("en")


def test_a_word_may_depend_on_a_number(tmp_path: Path) -> None:
    czech = 'cs = {by = "n", one = "{n} místo", few = "{n} místa", other = "{n} míst"}'
    text = "\n".join(czech if one == "cs" else f'{one} = "{{n}}"' for one in LANGUAGES)
    say = plain(tmp_path, "[a]\n" + text)
    assert [say("a", n=many).text("cs") for many in (1, 3, 5)] == ["1 místo", "3 místa", "5 míst"]


def test_a_message_within_a_message_is_said_in_the_same_language(tmp_path: Path) -> None:
    say = plain(
        tmp_path,
        '[out]\nen = "no: {why}; {all:parts}"\nuk = "ні: {why}; {all:parts}"\n'
        '[in]\nen = "gone {n}"\nuk = "нема {n}"\n',
    )
    told = say("out", why=say("in", n=1.5), all=[say("in", n=2), "x"])
    assert str(told) == "no: gone 1.5; gone 2; x"
    assert told.text("uk") == "ні: нема 1,5; нема 2; x"
    assert say.read(told.document()) == told


def test_a_message_that_lacks_a_parameter_is_none(tmp_path: Path) -> None:
    say = plain(tmp_path, "[a]\n" + words("{x}"))
    with pytest.raises(KeyError, match="x"):
        say("a")
    with pytest.raises(KeyError, match="b"):
        say("b")


_SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
_JSON = st.recursive(
    _SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["id", "parameters", "unit", "effect", "told"]), inner)
        | st.fixed_dictionaries(
            {
                "id": st.sampled_from(sorted(practices.entries)),
                "parameters": st.dictionaries(
                    st.sampled_from(
                        sorted({one for each in practices.fields.values() for one in each})
                    ),
                    inner,
                    max_size=6,
                ),
            }
        )
    ),
    max_leaves=12,
)


@given(_JSON, st.sampled_from(LANGUAGES))
def test_what_somebody_made_up_is_said_or_is_none(document: Any, language: str) -> None:
    found = practices.read(document)
    assert found is None or isinstance(found.text(language), str)


@pytest.mark.parametrize("name", sorted(practices.entries))
def test_any_value_of_the_right_names_can_be_said(name: str) -> None:
    for value in ("text", 3, -2.5, True, float("nan"), 1e300, ["a", 1.5], "2024-13-99"):
        document = {"id": name, "parameters": dict.fromkeys(practices.fields[name], value)}
        found = practices.read(document)
        assert isinstance(found, Message)
        assert all(found.text(one) for one in LANGUAGES)
        assert str(found)


def test_what_is_too_deep_or_too_large_is_none() -> None:
    deep: Any = "x"
    for _ in range(40):
        deep = [deep]
    assert practices.read({"id": "parts", "parameters": {"told": deep}}) is None
    many = {"id": "parts", "parameters": {"told": []} | {str(n): 1 for n in range(500)}}
    assert practices.read(many) is None
