"""The index: an FTS5 table of keys and concepts, beside it what results are filtered by and shown as.

It holds what anybody past a card's door may see (`Seen.published`) and nothing else of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, Final

import msgspec

from rynek.base.sqlite import Connection
from rynek.practices.search.costing import Priced, index_costs
from rynek.practices.search.glossary import Glossary, glossary
from rynek.practices.search.stems import Language
from rynek.practices.search.words import LANGUAGES, kin, language_of, read

__all__ = [
    "FACETS",
    "FORMAT",
    "MIGRATIONS",
    "Entry",
    "begin",
    "clear",
    "concept_key",
    "kin_key",
    "put",
    "remove",
    "set_state",
    "state",
]

# Stands for how entries become rows: what is indexed otherwise is indexed anew.
FORMAT: Final = "2"
FACETS: Final = ("theme", "cluster", "verdict", "status", "country")
_MOST_KEYS: Final = 20_000

MIGRATIONS: Final = (
    """
CREATE TABLE entry(
  row INTEGER PRIMARY KEY, door TEXT NOT NULL, owner TEXT NOT NULL, kind INTEGER NOT NULL,
  id TEXT NOT NULL UNIQUE,
  theme TEXT NOT NULL, cluster TEXT NOT NULL, verdict TEXT NOT NULL, status TEXT NOT NULL,
  country TEXT NOT NULL, languages INTEGER NOT NULL, answered INTEGER NOT NULL,
  level INTEGER NOT NULL, cost REAL, population INTEGER
) STRICT;
CREATE TABLE kind(
  kind INTEGER PRIMARY KEY, theme TEXT NOT NULL, cluster TEXT NOT NULL, verdict TEXT NOT NULL,
  status TEXT NOT NULL, country TEXT NOT NULL, UNIQUE(theme, cluster, verdict, status, country)
) STRICT;
CREATE TABLE told(row INTEGER PRIMARY KEY, texts BLOB NOT NULL) STRICT;
CREATE VIRTUAL TABLE found USING fts5(
  title, body, meant, within, above, alike, tokenize = "unicode61 remove_diacritics 0",
  columnsize = 1, detail = full
);
CREATE TABLE frequency(key TEXT PRIMARY KEY, entries INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE VIRTUAL TABLE near USING fts5(key, tokenize = "trigram", columnsize = 0, detail = none);
CREATE TRIGGER key_is_new AFTER INSERT ON frequency WHEN new.key NOT GLOB '[01]*' BEGIN
  INSERT INTO near VALUES(new.key);
END;
CREATE TABLE state(name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
""",
    """
ALTER TABLE entry DROP COLUMN cost;
CREATE TABLE cost(
  row INTEGER NOT NULL, kind TEXT NOT NULL, unit TEXT NOT NULL, low REAL NOT NULL, high REAL NOT NULL
) STRICT;
CREATE INDEX cost_of ON cost(row, unit);
""",
)


class Entry(msgspec.Struct, frozen=True):
    """What a card says to anybody past its door.

    `texts` is language → part → words, with the part `title`; "" is for words of no language.
    `answered` says that its computed effects are shown, `level` is the best level of evidence among
    them (0 without), `costs` in each unit that they are told in, `population` of the city.
    """

    id: str
    texts: dict[str, dict[str, str]]
    door: str = "public"
    owner: str = ""
    theme: str = ""
    cluster: str = ""
    verdict: str = "unknown"
    status: str = ""
    country: str = ""
    answered: bool = True
    level: int = 0
    costs: tuple[Priced, ...] = ()
    population: int | None = None


class _Keys:
    """The columns of one row of the index, while it is put together."""

    def __init__(self) -> None:
        self.title: list[str] = []
        self.body: list[str] = []
        self.title_concepts: Counter[str] = Counter()
        self.concepts: Counter[str] = Counter()
        self.nested: Counter[str] = Counter()

    def add(self, text: str, language: Language, known: Glossary, *, title: bool) -> None:
        row = read(text, language)[0][:_MOST_KEYS]
        (self.title if title else self.body).extend(one for one in row if one)
        spans: list[tuple[int, int]] = []
        # Of the languages a card is told in, each says the same again: the largest count stands.
        here: Counter[str] = Counter()
        nested: Counter[str] = Counter()
        for mention in known.mentions(row, language):
            inner = any(
                a <= mention.start and mention.end <= b for a, b in spans if (a, b) != mention[:2]
            )
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


@lru_cache(maxsize=1 << 17)
def kin_key(one: str) -> str:
    """What a word's coarser key is in the index; "" without one."""
    coarse = kin(one)
    return f"1{coarse}" if coarse else ""


def _spelled(counts: Counter[str]) -> str:
    return " ".join(
        concept_key(name) for name in sorted(counts) for _ in range(min(3, counts[name]))
    )


def put(database: Connection, entries: Iterable[Entry]) -> None:
    """Index cards, each in place of what was there; the caller's transaction."""
    known = glossary()
    counted: Counter[str] = Counter()
    for entry in entries:
        remove(database, entry.id)
        keys = _Keys()
        for language, parts in entry.texts.items():
            for part, text in parts.items():
                code: Language = language if language in LANGUAGES else language_of(text)
                keys.add(text, code, known, title=part == "title")
        told = sum(1 << LANGUAGES.index(code) for code in LANGUAGES if code in entry.texts)
        kinds = (entry.theme, entry.cluster, entry.verdict, entry.status, entry.country)
        database.execute(
            f"INSERT OR IGNORE INTO kind({', '.join(FACETS)}) VALUES(?, ?, ?, ?, ?)", kinds
        )
        database.execute(
            "INSERT INTO entry(kind, id, door, owner, theme, cluster, verdict, status, country, languages,"
            " answered, level, population) VALUES((SELECT kind FROM kind WHERE (theme, cluster, verdict,"
            " status, country) = (?, ?, ?, ?, ?)), ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *kinds,
                *(entry.id, entry.door, entry.owner, *kinds),
                *(told, entry.answered, entry.level, entry.population),
            ),
        )
        row = int(database.execute("SELECT last_insert_rowid()").fetchone()[0])
        index_costs(database, row, entry.costs)
        columns = keys.columns(known)
        database.execute(
            "INSERT INTO found(rowid, title, body, meant, within, above, alike)"
            " VALUES(?, ?, ?, ?, ?, ?, ?)",
            (row, *columns),
        )
        database.execute("INSERT INTO told VALUES(?, ?)", (row, msgspec.json.encode(entry.texts)))
        counted.update({one for column in columns for one in column.split()})
    _count(database, counted)


def remove(database: Connection, card: str) -> None:
    """Take a card out of the index; nothing happens where it is not in it."""
    there = database.execute("SELECT row FROM entry WHERE id = ?", (card,)).fetchone()
    if there is None:
        return
    columns = database.execute(
        "SELECT title, body, meant, within, above, alike FROM found WHERE rowid = ?", there
    ).fetchone()
    _count(database, {one: -1 for column in columns for one in column.split()})
    database.execute("DELETE FROM found WHERE rowid = ?", there)
    database.execute("DELETE FROM told WHERE row = ?", there)
    database.execute("DELETE FROM cost WHERE row = ?", there)
    database.execute("DELETE FROM entry WHERE row = ?", there)


def _count(database: Connection, keys: Mapping[str, int]) -> None:
    """Keep how many entries have each key; one that is new is found by its likeness from then on."""
    database.executemany(
        "INSERT INTO frequency VALUES(?, ?)"
        " ON CONFLICT(key) DO UPDATE SET entries = entries + excluded.entries",
        sorted(keys.items()),
    )


def clear(database: Connection) -> None:
    """Forget every card, and begin; the caller's transaction."""
    for table in ("entry", "kind", "told", "cost", "found", "frequency", "near", "state"):
        database.execute(f"DELETE FROM {table}")
    begin(database)


def begin(database: Connection) -> None:
    """Fill what an empty index starts with: the glossary's own words."""
    keys = {one for _, one in glossary().vocabulary()}
    database.executemany("INSERT INTO frequency VALUES(?, 0)", [(one,) for one in sorted(keys)])


def state(database: Connection, name: str) -> str:
    """What was noted under a name; "" without."""
    row: Any = database.execute("SELECT value FROM state WHERE name = ?", (name,)).fetchone()
    return str(row[0]) if row else ""


def set_state(database: Connection, name: str, value: str) -> None:
    """Note something in the caller's transaction."""
    database.execute("INSERT OR REPLACE INTO state VALUES(?, ?)", (name, value))
