"""`rynek practice list --indicator`: what moved an indicator elsewhere."""

from __future__ import annotations

import json

import click

from rynek.practices.cards import Cards, Viewer

__all__ = ["list_moved"]


def list_moved(
    cards: Cards,
    indicator: str,
    population: int | None,
    country: str,
    language: str,
    *,
    as_json: bool,
) -> None:
    """Print cards about an indicator, the best first, with what their answers say of it."""
    from rynek.indicators import find_definition
    from rynek.practices.search import Like, mover_document, movers

    like = Like(population, country.upper())
    found = movers(cards, find_definition(indicator), Viewer(member=True, admin=True), like)
    if as_json:
        told = [one.seen.document() | {"moved": mover_document(one)} for one in found]
        click.echo(json.dumps(told, ensure_ascii=False, indent=2))
        return
    for one in found:
        title = one.seen.card.title.get(language) or next(iter(one.seen.card.title.values()))  # type: ignore[call-overload]
        level = str(one.level) if one.level else "-"
        reason = one.reason.text(language)
        click.echo(f"{one.seen.id}\t{level}\t{one.direction}\t{title}\t{reason}")
    if not found:
        click.echo("no cards")
