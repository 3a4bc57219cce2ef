"""Search over 100,000 practice cards, in all six languages: time of one answer with its facets."""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from benchmarks.results import Result, Target

from rynek.practices.cards import EVERYBODY
from rynek.practices.search import Entry, Priced, SearchIndex, search_concepts
from rynek.practices.search import Filters as SearchFilters

LONG = True
CARDS: Final = 100_000
AT_MOST_MS: Final = 50.0
_QUERIES: Final = Path(__file__).parents[2] / "tests/practices/search/queries.toml"
_LANGUAGES: Final = ("en", "pl", "cs", "bg", "uk", "sr")
_SEED: Final = 5
_ROUNDS: Final = 3


def entries(count: int, seed: int = _SEED) -> Iterator[Entry]:
    """Made-up cards: words of concepts by Zipf's law among words of no meaning, one language each,
    about 90 words; one in ten closed."""
    draw = random.Random(seed)
    concepts = sorted(search_concepts().items())
    draw.shuffle(concepts)
    odds = [1 / (rank + 3) for rank in range(len(concepts))]
    filler = [_word(draw) for _ in range(60_000)]
    weights = [1 / (rank + 5) for rank in range(len(filler))]
    fillers = draw.choices(filler, weights, k=2_000_000)
    for number in range(count):
        language = _LANGUAGES[number % 6]
        chosen = draw.choices(concepts, odds, k=7)
        named = [draw.choice(words[language]) for _, words in chosen]
        place = draw.randrange(len(fillers) - 100)
        text = fillers[place : place + 70]
        for one in named[2:]:
            text.insert(draw.randrange(len(text)), one)
        cost = float(draw.randrange(1_000, 1_000_000))
        yield Entry(
            id=f"card-{number}",
            texts={language: {"title": f"{named[0]} {named[1]} {text[0]}", "done": " ".join(text)}},
            door="owner" if number % 10 == 9 else "public",
            owner=f"city{number % 400}",
            theme=chosen[0][0],
            cluster=("mobility", "citizens", "integrated_infrastructure")[number % 3],
            verdict=("worked", "partly", "did_not", "unknown")[number % 4],
            status=("pilot", "running", "stopped")[number % 3],
            country=("CZ", "PL", "BG", "UA", "RS", "GB")[number % 6],
            level=number % 5,
            costs=(Priced("capital", "PPS", cost, cost),),
            population=draw.randrange(5_000, 2_000_000),
        )


def _word(draw: random.Random) -> str:
    return "".join(
        draw.choice("bdfgklmnprstvz") + draw.choice("aeiou") for _ in range(draw.randint(2, 5))
    )


def _asked() -> dict[str, list[tuple[str, SearchFilters]]]:
    found = tomllib.loads(_QUERIES.read_text(encoding="utf-8"))["queries"]
    everything = SearchFilters()
    common = [
        words[language][0] for words in search_concepts().values() for language in ("en", "uk")
    ]
    return {
        "sixty queries across languages": [(one["query"], everything) for one in found],
        "one concept, each of them": [(one, everything) for one in common],
        "filtered": [
            (one, SearchFilters(verdict="did_not", size="small", level=2)) for one in common[::5]
        ],
        "mistyped": [
            (one[0] + one[2] + one[1] + one[3:], everything) for one in common[::9] if len(one) > 6
        ],
    }


def run(options: argparse.Namespace) -> Iterator[Result]:
    """Index the cards, ask, and change some."""
    with tempfile.TemporaryDirectory() as folder:
        index = SearchIndex(Path(folder) / "search.db")
        began = time.perf_counter()
        index.rebuild(entries(CARDS))
        took = time.perf_counter() - began
        size = sum(path.stat().st_size for path in Path(folder).iterdir()) / 1e6
        yield Result(
            job="search: index",
            unit=" cards/s",
            value=CARDS / took,
            note=f"{CARDS:,} cards, {size:.0f} MB",
        )
        for name, asked in _asked().items():
            yield _timed(index, name, asked)
        changed = list(entries(200, _SEED + 1))
        times = []
        for one in changed:
            began = time.perf_counter()
            index.put([one])
            times.append((time.perf_counter() - began) * 1e3)
        yield Result(
            job="search: a card changes",
            unit=" ms",
            value=statistics.median(times),
            p99_ms=_high(times),
        )
        index.close()


def _timed(index: SearchIndex, name: str, asked: list[tuple[str, SearchFilters]]) -> Result:
    times = []
    for _ in range(_ROUNDS):
        for text, filters in asked:
            began = time.perf_counter()
            index.find(text, EVERYBODY, filters, languages=("en",))
            times.append((time.perf_counter() - began) * 1e3)
    return Result(
        job=f"search: {name}",
        unit=" ms",
        value=statistics.median(times),
        p99_ms=_high(times),
        target=Target(at_most=AT_MOST_MS),
        note=f"{len(asked)} queries",
    )


def _high(times: list[float]) -> float:
    return statistics.quantiles(times, n=100)[98]
