"""The store: versions that stay, changes that name the version they are made on, doors."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from tests.practices.cards.support import OWNER, asked, card, document, store

from rynek.backup import backup, restore
from rynek.base.errors import (
    AlreadyExists,
    BadRequestData,
    Conflict,
    Damaged,
    Problem,
    ResourceNotFound,
)
from rynek.practices.cards import (
    EVERYBODY,
    Cards,
    Viewer,
    Wanted,
    parse_card,
    specification_digest,
)

EDITOR = Viewer(member=True, owners=frozenset([OWNER]))
OTHER = Viewer(member=True, owners=frozenset(["varna"]))
ADMIN = Viewer(member=True, admin=True)


@pytest.fixture
def cards(tmp_path: Path) -> Cards:
    return store(tmp_path)


def test_a_card_is_there_after_a_restart(cards: Cards, tmp_path: Path) -> None:
    kept = cards.add(
        "bicycle-streets", card(), owner=OWNER, door="public", who="ivan", note="first"
    )
    cards.close()
    seen = store(tmp_path).get("bicycle-streets")
    assert seen.card == card()
    assert (seen.written.version, seen.written.who, seen.written.note) == (1, "ivan", "first")
    assert seen.written.at == kept.written.at > 0


def test_every_version_stays_and_comes_back(cards: Cards) -> None:
    cards.add("a", card(), owner=OWNER, door="public")
    cards.change("a", card(status="running"), version=1, who="ana")
    cards.remove("a", version=2)
    with pytest.raises(ResourceNotFound):
        cards.get("a")
    assert [each.version for each in cards.versions("a", EDITOR)] == [3, 2, 1]
    assert cards.get("a", EDITOR, version=3).written.removed
    back = cards.restore("a", 1, version=3)
    assert back.written.version == 4
    assert cards.get("a").card == card()
    assert cards.get("a", version=2).card.status == "running"


def test_a_change_names_the_version_it_is_made_on(cards: Cards) -> None:
    cards.add("a", card(), owner=OWNER, door="public")
    cards.change("a", card(status="running"), version=1)
    with pytest.raises(Conflict, match="at version 2, not 1") as caught:
        cards.change("a", card(status="scaled"), version=1)
    assert caught.value.body()["current"] == 2
    with pytest.raises(Conflict):
        cards.remove("a", version=1)
    with pytest.raises(Conflict):
        cards.restore("a", 1, version=1)
    assert cards.get("a").card.status == "running"


def test_of_many_changes_at_once_one_wins(cards: Cards, tmp_path: Path) -> None:
    cards.add("a", card(), owner=OWNER, door="public")
    outcomes: list[str] = []

    def change(each: Cards, name: str) -> None:
        try:
            each.change("a", card(), version=1, who=name)
            outcomes.append("kept")
        except Conflict:
            outcomes.append("conflict")

    # Two stores on one file, as a service and a command beside it.
    stores = [cards, store(tmp_path)]
    threads = [threading.Thread(target=change, args=(stores[n % 2], str(n))) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["conflict"] * 7 + ["kept"]
    assert len(cards.versions("a")) == 2


def test_an_id_is_used_once(cards: Cards) -> None:
    cards.add("a", card(), owner=OWNER, door="public")
    with pytest.raises(AlreadyExists):
        cards.add("a", card(), owner=OWNER, door="public")
    cards.remove("a", version=1)
    with pytest.raises(AlreadyExists):
        cards.add("a", card(), owner=OWNER, door="public")
    for wrong in ("", "A", "a/b", "-a", "a" * 81, "new", "plan"):
        with pytest.raises(BadRequestData, match=r"^id:"):
            cards.add(wrong, card(), owner=OWNER, door="public")


def test_doors(cards: Cards) -> None:
    cards.add("open", card(), owner=OWNER, door="public")
    cards.add("inner", card(), owner=OWNER, door="members")
    cards.add("own", card(), owner=OWNER, door="owner")
    seen = {
        viewer: {one.id for one in cards.listed(viewer)[0]}
        for viewer in (EVERYBODY, OTHER, EDITOR, ADMIN)
    }
    assert seen[EVERYBODY] == {"open"}
    assert seen[OTHER] == {"open", "inner"}
    assert seen[EDITOR] == seen[ADMIN] == {"open", "inner", "own"}
    for viewer, ids in seen.items():
        assert cards.listed(viewer)[1] == len(ids)
        assert cards.counts(viewer)["theme"] == {"cycling": len(ids)}
        for name in ("open", "inner", "own"):
            if name in ids:
                assert cards.get(name, viewer).id == name
            else:
                for ask in (cards.get, cards.versions):
                    with pytest.raises(ResourceNotFound):
                        ask(name, viewer)


def test_a_list_is_narrowed_and_paged(cards: Cards) -> None:
    for number in range(7):
        told = {"outcome": "worked" if number % 2 else "did_not", "reason": {"en": "because"}}
        cards.add(f"c{number}", card(verdict=told), owner=OWNER, door="public")
    failed, total = cards.listed(wanted=Wanted(verdict="did_not"), limit=3)
    assert total == 4
    assert [each.id for each in failed] == ["c6", "c4", "c2"]
    rest, _ = cards.listed(wanted=Wanted(verdict="did_not"), offset=3)
    assert [each.id for each in rest] == ["c0"]
    assert cards.listed(wanted=Wanted(theme="' OR 1=1 --"))[1] == 0


def test_who_follows_changes_sees_each_card_once_with_its_newest(cards: Cards) -> None:
    cards.add("a", card(), owner=OWNER, door="public")
    cards.add("b", card(), owner=OWNER, door="owner")
    first = cards.changes()
    assert [each.id for each in first] == ["a", "b"]
    cards.change("a", card(status="running"), version=1)
    cards.remove("b", version=1)
    later = cards.changes(first[-1].seq)
    assert [(each.id, each.seen is None) for each in later] == [("a", False), ("b", True)]
    assert cards.changes(later[-1].seq) == []
    assert cards.last_seq() == later[-1].seq


def test_answers_are_kept_by_number_and_only_when_they_differ(cards: Cards) -> None:
    cards.add("a", card(), owner=OWNER, door="public")
    told = {"specification": asked(), "digest": "d", "by": "1"}
    assert cards.answers.keep("a", "riders", **told, document={"effect": 1.5}).number == 1
    assert cards.answers.keep("a", "riders", **told, document={"effect": 1.5}).number == 1
    told["digest"] = "grown"
    assert cards.answers.keep("a", "riders", **told, document={"effect": 1.25}).number == 2
    assert cards.answered(cards.get("a"))["riders"].document == {"effect": 1.25}
    cards.answers.keep("a", "other", **told, document={})
    assert set(cards.answered(cards.get("a"))) == {"riders"}


def test_an_answer_to_what_a_question_asked_before_is_none_to_what_it_asks_now(
    cards: Cards,
) -> None:
    cards.add("a", card(), owner=OWNER, door="public")
    told = {"specification": asked(), "digest": "d", "by": "1"}
    cards.answers.keep("a", "riders", **told, document={"effect": 1.5})
    now = document()["questions"][0]
    now["specification"] = now["specification"] | {"transform": "log"}
    cards.change("a", card(questions=[now]), version=1)
    assert cards.answered(cards.get("a")) == {}
    assert cards.answered(cards.get("a", version=1))["riders"].document == {"effect": 1.5}
    told["specification"] = specification_digest(cards.get("a").card.questions[0])
    cards.answers.keep("a", "riders", **told, document={"effect": 0.1})
    assert cards.answered(cards.get("a"))["riders"].document == {"effect": 0.1}
    assert cards.answered(cards.get("a", version=1))["riders"].document == {"effect": 1.5}


def test_a_backup_holds_cards_while_they_are_written(tmp_path: Path) -> None:
    data = tmp_path / "data"
    (data / "tenants").mkdir(parents=True)
    (data / "format").write_text("1\n")
    cards = store(data)
    cards.add("a", card(), owner=OWNER, door="public")
    cards.change("a", card(status="running"), version=1)
    backup(data, tmp_path / "backup.tar")
    cards.change("a", card(status="scaled"), version=2)
    restore(tmp_path / "backup.tar", tmp_path / "again")
    found = store(tmp_path / "again")
    assert found.get("a").card.status == "running"
    assert len(found.versions("a")) == 2


KILLED = """
import os, signal, sys
from pathlib import Path
from tests.practices.cards.support import card, store
cards = store(Path(sys.argv[1]))
cards.add("a", card(), owner="ruse", door="public")
for version in range(1, 4):
    cards.change("a", card(), version=version)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_was_kept_survives_a_killed_process(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path)],
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.returncode == -signal.SIGKILL
    assert len(store(tmp_path).versions("a")) == 4


def test_a_damaged_file_is_told_as_one(cards: Cards, tmp_path: Path) -> None:
    cards.add("a", card(), owner=OWNER, door="public")
    cards.close()
    (tmp_path / "practices.db").write_bytes(b"no database" * 1000)
    with pytest.raises(Damaged) as caught:
        store(tmp_path).get("a")
    assert "practices.db" in caught.value.detail


def test_too_large_a_card_is_refused(cards: Cards) -> None:
    text = {"en": "x" * 20_000}
    large = parse_card(document(lessons=[text] * 14))
    with pytest.raises(Problem, match="KiB"):
        cards.add("large", large, owner=OWNER, door="public")
    assert cards.listed()[1] == 0
