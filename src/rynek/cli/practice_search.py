"""`rynek practice search`: full text over the cards of a data folder, across six languages."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from rynek.cli.options import config_option, data_option, existing_folder
from rynek.cli.practice_moved import cities_like
from rynek.cli.waiting import waiting
from rynek.practices.cards import (
    EVERYBODY,
    FILE,
    LANGUAGES,
    VERDICTS,
    Cards,
    Viewer,
    refuse_unknown,
)
from rynek.practices.search import (
    COST_KINDS,
    INDEX_FILE,
    PPS,
    SIZES,
    Filters,
    SearchIndex,
    Snippet,
    alike_document,
    alike_message,
    found_document,
)


@click.command()
@click.argument("query")
@click.option("--language", type=click.Choice(LANGUAGES), default="en", help="Of titles and texts.")
@click.option("--theme", default="", help="Only cards of this theme, such as waste.")
@click.option("--verdict", type=click.Choice(VERDICTS), help="Only cards with this verdict.")
@click.option("--level", type=click.IntRange(1, 5), help="The least level of evidence.")
@click.option("--size", type=click.Choice(tuple(SIZES)), help="Of the city.")
@click.option("--told-in", type=click.Choice(LANGUAGES), help="Only cards told in this language.")
@click.option("--cost-from", type=float, help="Only cards with a cost of at least so much.")
@click.option("--cost-to", type=float, help="Only cards with a cost of at most so much.")
@click.option(
    "--cost-kind", type=click.Choice(COST_KINDS), help="Of which costs; a year's, if running."
)
@click.option(
    "--cost-in", default=PPS, help="PPS (euros at the EU's prices), or a currency as cards have it."
)
@click.option(
    "--like", metavar="TENANT", help="Of the best hundred those of cities like this one first."
)
@click.option("--limit", type=click.IntRange(1, 100), default=10, help="How many are shown.")
@click.option("--public", is_flag=True, help="As everybody sees it.")
@click.option("--rebuild", is_flag=True, help="Make the index anew before.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@data_option
@config_option
def search(
    query: str,
    language: str,
    theme: str,
    verdict: str | None,
    level: int | None,
    size: str | None,
    told_in: str | None,
    cost_from: float | None,
    cost_to: float | None,
    cost_kind: str | None,
    cost_in: str,
    like: str | None,
    limit: int,
    public: bool,
    rebuild: bool,
    as_json: bool,
    data: Path | None,
    config: Path | None,
) -> None:
    """Find cards by QUERY, in whichever of the six languages it is and they are; see docs/search.md.

    What the query names is marked with asterisks.
    """
    filters = Filters(
        theme=theme,
        verdict=verdict or "",
        level=level or 0,
        size=size or "",
        language=told_in or "",
        cost_from=cost_from,
        cost_to=cost_to,
        cost_kind=cost_kind or "",
        cost_in=cost_in.upper(),
    )
    viewer = EVERYBODY if public else Viewer(member=True, admin=True)
    with _index(existing_folder(config, data), rebuild=rebuild) as (index, cards):
        refuse_unknown(cards, viewer, theme)
        cities = cities_like(existing_folder(config, data), like)
        found, seen = index.ask(
            cards, query, viewer, filters, languages=(language,), limit=limit, cities=cities
        )
        alike = {} if cities is None else {one.id: cities.alike(one) for one in seen}
    if as_json:
        told = found_document(found)
        for hit in told["hits"]:
            hit |= {"alike": alike_document(alike[hit["id"]])} if alike else {}
        click.echo(json.dumps(told, ensure_ascii=False, indent=2))
        return
    _print(found, {card: alike_message(one).text(language) for card, one in alike.items()})


@contextmanager
def _index(folder: Path, *, rebuild: bool) -> Iterator[tuple[SearchIndex, Cards]]:
    """The folder's index, up to date, and its cards."""
    from rynek.indicators import References, open_indicators
    from rynek.practices.cards import seed
    from rynek.practices.search import price_tables

    indicators = open_indicators(folder)
    rates = price_tables(References(indicators))
    cards, index = Cards(folder / FILE), SearchIndex(folder / INDEX_FILE, rates)
    try:
        seed(cards)
        if rebuild:
            index.forget()
        with waiting("reading cards"):
            while index.follow(cards):
                pass
        yield index, cards
    finally:
        index.close()
        cards.close()
        indicators.close()


def _print(found: Any, alike: dict[str, str]) -> None:
    for hit in found.hits:
        click.echo(f"{hit.id}\t{_marked(hit.title)}")
        if hit.snippet is not None:
            click.echo(f"\t{_marked(hit.snippet)}")
        if hit.id in alike:
            click.echo(f"\t{alike[hit.id]}")
    for word in found.mended:
        click.echo(f"no card has {word!r}: words like it were looked for")
    click.echo(f"{'more than ' if found.more else ''}{found.total} found")


def _marked(snippet: Snippet) -> str:
    """A text on one line, what was found between asterisks."""
    told = "".join(f"*{piece.text}*" if piece.marked else piece.text for piece in snippet.pieces)
    return " ".join("".join(one if one.isprintable() else " " for one in told).split())
