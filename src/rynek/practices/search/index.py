"""The index: an FTS5 table of keys and concepts, beside it what results are filtered by and shown as.

A card has one row for everybody past its door; one that is shared without its city's name has a
second with everything, for who may write it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec

from rynek.base.sqlite import Connection
from rynek.practices.search.glossary import Glossary, glossary
from rynek.practices.search.stems import Language
from rynek.practices.search.words import LANGUAGES, key, kin, language_of, words

__all__ = ["FACETS", "FORMAT", "MIGRATIONS", "Entry", "begin", "concept_key", "kin_key", "put", "remove"]

# Stands for how entries become rows: what is indexed otherwise is indexed anew.
FORMAT: Final = "1"
FACETS: Final = ("theme", "cluster", "verdict", "status", "country")
_MOST_KEYS: Final = 20_000

MIGRATIONS: Final = (
    """
CREATE TABLE entry(
  row INTEGER PRIMARY KEY, id TEXT NOT NULL, door TEXT NOT NULL, owner TEXT NOT NULL,
  whole INTEGER NOT NULL, shown INTEGER NOT NULL, theme TEXT NOT NULL, cluster TEXT NOT NULL,
  verdict TEXT NOT NULL, status TEXT NOT NULL, country TEXT NOT NULL, languages INTEGER NOT NULL,
  level INTEGER NOT NULL, cost REAL, population INTEGER
) STRICT;
CREATE INDEX entry_id ON entry(id);
CREATE TABLE told(row INTEGER PRIMARY KEY, texts BLOB NOT NULL) STRICT;
CREATE VIRTUAL TABLE found USING fts5(
  title, body, meant, within, above, alike, tokenize = "unicode61 remove_diacritics 0",
  columnsize = 1, detail = full
);
CREATE TABLE frequency(key TEXT PRIMARY KEY, entries INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE VIRTUAL TABLE near USING fts5(key, tokenize = "trigram", columnsize = 0, detail = none);
CREATE TABLE state(name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
""",
)


class Entry(msgspec.Struct, frozen=True):
    """What is known of a card by one kind of viewer.

    `texts` is language → part → words, with the part `title`; "" is for words of no language.
    `whole` says that it holds everything (for who may write the card), `shown` that it may be seen
    past the door; most entries are both. `level` is the best level of evidence (0 without), `cost`
    in euros, `population` of the city.
    """

    id: str
    texts: dict[str, dict[str, str]]
    door: str = "public"
    owner: str = ""
    whole: bool = True
    shown: bool = True
    theme: str = ""
    cluster: str = ""
    verdict: str = "unknown"
    status: str = ""
    country: str = ""
    level: int = 0
    cost: float | None = None
    population: int | None = None


class _Keys:
    """The columns of one row of the index, while it is put together."""

    def __init__(self) -> None:
        self.title: list[str] = []
        self.body: list[str] = []
        self.title_concepts: Counter[str] = Counter()
        self.concepts: Counter[str] = Counter()
        self.nested: Counter[str] = Counter()

    def read(self, text: str, language: Language, known: Glossary, *, title: bool) -> None:
        row = [key(word.text, language) for word in words(text)][:_MOST_KEYS]
        (self.title if title else self.body).extend(one for one in row if one)
        spans: list[tuple[int, int]] = []
        # Of the languages a card is told in, each says the same again: the largest count stands.
        here: Counter[str] = Counter()
        nested: Counter[str] = Counter()
        for mention in known.mentions(row, language):
            inner = any(a <= mention.start and mention.end <= b for a, b in spans if (a, b) != mention[:2])
            spans.append((mention.start, mention.end))
            (nested if inner else here)[mention.concept] += 1
        main = self.title_concepts if title else self.concepts
        for kept, counted in ((main, here), (self.nested, nested)):
            for name, count in counted.items():
                kept[name] = max(kept[name], count)

    def columns(self, known: Glossary) -> tuple[str, ...]:
        """Title, body, meant, within, above, alike."""
        own = {*self.title_concepts, *self.concepts}
        above = {up for name in own for up in known.above(name)} - own
        alike = {kin_key(one) for one in (*self.title, *self.body)} - {""}
        return (
            " ".join(self.title),
            " ".join(self.body),
            _spelled(self.title_concepts),
            _spelled(self.concepts),
            " ".join(map(concept_key, sorted({*above, *self.nested} - own))),
            " ".join(sorted(alike)),
        )


def concept_key(name: str) -> str:
    """What a concept is in the index; no word has such a key, for keys of words are letters."""
    return "0" + name.replace("_", "0")


def kin_key(one: str) -> str:
    """What a word's coarser key is in the index; "" without one."""
    coarse = kin(one)
    return f"1{coarse}" if coarse else ""


def _spelled(counts: Counter[str]) -> str:
    return " ".join(
        concept_key(name) for name in sorted(counts) for _ in range(min(3, counts[name]))
    )


def put(database: Connection, entries: Sequence[Entry]) -> None:
    """Index the entries of one card in place of what was there; the caller's transaction."""
    for card in dict.fromkeys(entry.id for entry in entries):
        remove(database, card)
    known = glossary()
    for entry in entries:
        read = _Keys()
        for language, parts in entry.texts.items():
            for part, text in parts.items():
                code: Language = language if language in LANGUAGES else language_of(text)  # type: ignore[assignment]
                read.read(text, code, known, title=part == "title")
        told = sum(1 << LANGUAGES.index(code) for code in LANGUAGES if code in entry.texts)  # type: ignore[arg-type]
        kinds = (entry.theme, entry.cluster, entry.verdict, entry.status, entry.country)
        database.execute(
            "INSERT INTO entry(id, door, owner, whole, shown, theme, cluster, verdict, status,"
            " country, languages, level, cost, population)"
            " VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *(entry.id, entry.door, entry.owner, entry.whole, entry.shown, *kinds),
                *(told, entry.level, entry.cost, entry.population),
            ),
        )
        row = int(database.execute("SELECT last_insert_rowid()").fetchone()[0])
        columns = read.columns(known)
        database.execute(
            "INSERT INTO found(rowid, title, body, meant, within, above, alike)"
            " VALUES(?, ?, ?, ?, ?, ?, ?)",
            (row, *columns),
        )
        database.execute(
            "INSERT INTO told VALUES(?, ?)", (row, msgspec.json.encode(entry.texts))
        )
        _count(database, {one for column in columns for one in column.split()}, 1)


def remove(database: Connection, card: str) -> None:
    """Take a card out of the index; nothing happens where it is not in it."""
    rows = [row for (row,) in database.execute("SELECT row FROM entry WHERE id = ?", (card,))]
    for row in rows:
        columns = database.execute(
            "SELECT title, body, meant, within, above, alike FROM found WHERE rowid = ?", (row,)
        ).fetchone()
        _count(database, {one for column in columns for one in column.split()}, -1)
        database.execute("DELETE FROM found WHERE rowid = ?", (row,))
        database.execute("DELETE FROM told WHERE row = ?", (row,))
        database.execute("DELETE FROM entry WHERE row = ?", (row,))


def _count(database: Connection, keys: Iterable[str], change: int) -> None:
    """Keep how many entries have each key; a key that is new is found by its likeness from then on."""
    for one in keys:
        if change < 0:
            database.execute(
                "UPDATE frequency SET entries = entries - 1 WHERE key = ?", (one,)
            )
            continue
        database.execute("UPDATE frequency SET entries = entries + 1 WHERE key = ?", (one,))
        if not database.changes():
            database.execute("INSERT INTO frequency VALUES(?, 1)", (one,))
            if one[0] not in "01":
                database.execute("INSERT INTO near VALUES(?)", (one,))


def begin(database: Connection) -> None:
    """Fill what an empty index starts with: the glossary's own words."""
    keys = {one for _, one in glossary().vocabulary()}
    database.executemany("INSERT OR IGNORE INTO frequency VALUES(?, 0)", [(one,) for one in keys])
    database.executemany("INSERT INTO near VALUES(?)", [(one,) for one in sorted(keys)])


def state(database: Connection, name: str) -> str:
    """What was noted under a name; "" without."""
    row: Any = database.execute("SELECT value FROM state WHERE name = ?", (name,)).fetchone()
    return str(row[0]) if row else ""


def set_state(database: Connection, name: str, value: str) -> None:
    """Note something in the caller's transaction."""
    database.execute("INSERT OR REPLACE INTO state VALUES(?, ?)", (name, value))
