"""Cards without their city's name: nothing that anyone may see says it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.practices.cards.support import OWNER, asked, card, document, store

from rynek.base.errors import BadRequestData, ResourceNotFound
from rynek.practices.cards import EVERYBODY, Viewer, Wanted, parse_card, spoken
from rynek.practices.cards.naming import check_nameless

EDITOR = Viewer(member=True, owners=frozenset([OWNER]))
MEMBER = Viewer(member=True, owners=frozenset(["varna"]))
GIVEN_AWAY = ("ruse", "русе", "aleksandrovska", "213czf", "example.org", "university", "25.95")


def test_others_see_nothing_that_leads_to_the_city(tmp_path: Path) -> None:
    cards = store(tmp_path)
    cards.add("streets", card(), owner=OWNER, door="public", who="ivan of Ruse", note="Ruse")
    cards.change("streets", card(city_shown=False), version=1, who="ivan of Ruse", note="Ruse")
    cards.answers.keep(
        "streets", "riders", specification=asked(), digest="d", by="1", document={"unit": "Ruse"}
    )
    for viewer in (EVERYBODY, MEMBER):
        seen = cards.get("streets", viewer)
        shown = [
            json.dumps(seen.document(), ensure_ascii=False),
            json.dumps(spoken(seen), ensure_ascii=False),
            repr(seen),
            repr(cards.listed(viewer)),
            repr(cards.versions("streets", viewer)),
            repr(cards.answered(seen)),
            repr([each.seen for each in cards.changes()]),
        ]
        for text in shown:
            assert [name for name in GIVEN_AWAY if name in text.casefold()] == []
        # Words of an earlier version may say the name.
        with pytest.raises(ResourceNotFound):
            cards.get("streets", viewer, version=1)
        assert cards.listed(viewer, Wanted(owner=OWNER))[1] == 0
    assert seen.card.city is not None
    assert (seen.card.city.country, seen.card.city.population) == ("BG", 100_000)
    whole = cards.get("streets", EDITOR)
    assert whole.card.city is not None
    assert whole.card.city.name["en"] == "Ruse"
    assert cards.get("streets", EDITOR, version=1).card == card()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Praha", "Popelnice v Praze"),
        ("Praha", "PRAHA"),
        ("Praha", "pražské popelnice"),
        ("Praha 18", "v praze 18 se parkuje"),
        ("Kyiv", "Kyiv's bins"),
        ("Київ", "баки Києва"),
        ("Київ", "у Києві"),
        ("Львів", "у Львові"),
        ("Łódź", "w Łodzi"),
        ("Katowice", "w Katowicach"),
        ("Kraków", "krakowski rynek"),
        ("Brno", "v Brně"),
        ("София", "в София"),
        ("София", "Sofia"),
        ("Нови Сад", "у Новом Саду"),
        ("Grenoble", "à Grenoble"),
        ("Ústí nad Labem", "v Ústí nad Labem"),
        ("Brno", "brněnský dopravní podnik"),
        ("Olomouc", "olomoucká radnice"),
        ("Łódź", "łódzki budżet"),
        ("Одеса", "одеський порт"),
        ("София", "софийските райони"),
        ("Бургас", "бургаски автобуси"),
        ("Нови Сад", "новосадски превоз"),
        ("Ниш", "нишки трамвај"),
        ("Praha", "Pražané platí"),
        ("Пловдив", "пловдивчани"),
        ("Варна", "варненци"),
        ("Wrocław", "wrocławianie"),
        ("Wien", "the Wiener model"),
    ],
)
def test_words_that_say_the_name_are_named(name: str, text: str) -> None:
    told = card(
        city_shown=False, city={"name": {"en": name}, "country": "BG"}, problem={"cs": text}
    )
    with pytest.raises(BadRequestData, match=r"^problem\.cs: says"):
        check_nameless(told, [name])


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Praha", "V praxi je práce prázdná."),
        ("Kyiv", "Bins that keep"),
        ("Ruse", "rush hour, rust, Russian"),
        ("Варна", "варени яйца"),
        ("Łódź", "łódka i lodówka"),
        ("Olomouc", "olovo"),
        ("Brno", "brambory a brnění"),
        ("Нови Сад", "нові баки для міста"),
    ],
)
def test_words_that_only_look_like_it_are_taken(name: str, text: str) -> None:
    check_nameless(card(city_shown=False, problem={"cs": text}), [name])


def test_a_nameless_card_that_says_the_name_is_not_kept(tmp_path: Path) -> None:
    cards = store(tmp_path)
    told = document(city_shown=False)
    told["lessons"] = [{"bg": "В Русе преброихме късно."}]
    with pytest.raises(BadRequestData, match=r"^lessons\[0\]\.bg"):
        cards.add("streets", parse_card(told), owner=OWNER, door="public")
    with pytest.raises(BadRequestData, match=r"^id: says"):
        cards.add("ruse-streets", card(city_shown=False), owner=OWNER, door="public")
    with pytest.raises(BadRequestData, match=r"^done\.en"):
        cards.add(
            "streets",
            card(city_shown=False, done={"en": "As in Rousse."}),
            owner=OWNER,
            door="public",
            aliases=["Rousse"],
        )
    told = document(city_shown=False, lessons=[{"en": "Roustchouk counted late."}])
    told["city"] = told["city"] | {"known_as": ["BG004C", "Roustchouk"]}
    with pytest.raises(BadRequestData, match=r"^lessons\[0\]\.en"):
        cards.add("streets", parse_card(told), owner=OWNER, door="public")
    # A name that an earlier version had is remembered when the card's city is taken out.
    cards.add("streets", card(), owner=OWNER, door="owner")
    with pytest.raises(BadRequestData, match=r"^limits\.en"):
        cards.change(
            "streets",
            card(city_shown=False, city=None, limits={"en": "Only in Ruse."}),
            version=1,
        )
