"""The file that documents of a service are kept in."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from rynek.base.database import Database

STEPS = ("CREATE TABLE word(text TEXT NOT NULL) STRICT;",)


def words(database: Database) -> list[str]:
    with database.reading() as found:
        return [row[0] for row in found.execute("SELECT text FROM word ORDER BY text").fetchall()]


def add(database: Database, word: str) -> None:
    with database.writing() as found:
        found.execute("INSERT INTO word VALUES (?)", (word,))


def fail_after(database: Database, word: str) -> None:
    with database.writing():
        add(database, word)
        raise ZeroDivisionError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "words.db"


def test_who_reads_where_there_is_no_file_finds_nothing_and_makes_none(path: Path) -> None:
    database = Database(path, STEPS)
    assert words(database) == []
    assert not path.exists()
    database.close()
    assert not path.exists()


def test_what_another_process_wrote_first_is_found(path: Path) -> None:
    reader, writer = Database(path, STEPS), Database(path, STEPS)
    assert words(reader) == []
    add(writer, "tram")
    assert words(reader) == ["tram"]
    reader.close()
    writer.close()
    assert words(Database(path, STEPS)) == ["tram"]


def test_a_transaction_within_another_stands_or_falls_with_it(path: Path) -> None:
    database = Database(path, STEPS)
    with pytest.raises(ZeroDivisionError):
        fail_after(database, "tram")
    assert words(database) == []
    with database.writing():
        add(database, "bus")
        add(database, "tram")
    assert words(Database(path, STEPS)) == ["bus", "tram"]


def test_several_threads_write_one_after_the_other(path: Path) -> None:
    database = Database(path, STEPS)
    wanted = [f"line {number:02}" for number in range(20)]
    threads = [threading.Thread(target=add, args=(database, word)) for word in wanted]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert words(database) == wanted
