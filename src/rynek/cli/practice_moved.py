"""`rynek practice list --indicator`: what moved an indicator elsewhere; `measure`: what cities are
compared by."""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rynek.base.clock import SystemClock, parse_iso
from rynek.base.errors import Problem
from rynek.cli.options import config_option, data_option, existing_folder, lacking
from rynek.practices.cards import Cards, Viewer

if TYPE_CHECKING:
    from rynek.practices.search import Cities

__all__ = ["cities_like", "list_moved", "measure"]


@click.command()
@click.argument("tenants", nargs=-1, metavar="[TENANT]...")
@click.option(
    "--until",
    "moments",
    multiple=True,
    metavar="TIME",
    help="Up to this moment (ISO 8601), now without: one for all, or one for each TENANT.",
)
@data_option
@config_option
def measure(
    tenants: tuple[str, ...], moments: tuple[str, ...], data: Path | None, config: Path | None
) -> None:
    """Compute what cities are compared by (--like) and keep it, of these or of all cities.

    A service does so by itself, once in practices.recompute_hours, where it has four cities or
    more. This works beside it.
    """
    from rynek.app import measure_city

    folder = existing_folder(config, data)
    home = folder / "tenants"
    found = {path.name for path in home.glob("[!_]*") if path.is_dir()}
    for name in tenants:
        if name not in found:
            raise lacking(f"city {name!r}", home)
    names = tenants or tuple(sorted(found))
    until = [_moment(one) for one in moments] or [SystemClock().now()]
    if len(until) not in (1, len(names)):
        raise click.UsageError("--until is given once, or once for each city")
    due = list(zip(names, until * (len(names) // len(until)), strict=True))
    failed = False
    # What tables tell is there at once; histories take their time.
    for name, now in due:
        with suppress(Exception):
            measure_city(folder, name, now, told=True)
    for name, now in due:
        try:
            click.echo(f"{name}\t{measure_city(folder, name, now)} indicators")
        except Exception as error:
            # Whatever is wrong with the files of one, the others are measured.
            failed = True
            kind = "" if isinstance(error, Problem) else f"{type(error).__name__}: "
            click.echo(f"{name}: {kind}{str(error).partition(chr(10))[0]}", err=True)
    if failed:
        sys.exit(1)


def _moment(text: str) -> int:
    try:
        return parse_iso(text)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--until") from None


def cities_like(folder: Path, tenant: str | None) -> Cities | None:
    """What the service measured last of the cities of a data folder, as `tenant` asks; None where
    none does."""
    if tenant is None:
        return None
    from rynek.indicators import Profiles
    from rynek.practices.search import Cities

    profiles = Profiles(folder)
    try:
        known = profiles.all()
    finally:
        profiles.close()
    if tenant not in known:
        some = ", ".join(sorted(known)[:20]) or "none yet: a running service computes them"
        raise click.ClickException(f"--like: nothing is measured of {tenant!r}; there are {some}")
    return Cities(known, tenant)


def list_moved(
    cards: Cards,
    indicator: str,
    population: int | None,
    country: str,
    cities: Cities | None,
    language: str,
    *,
    as_json: bool,
) -> None:
    """Print cards about an indicator, the best first, with what their answers say of it."""
    from rynek.indicators import find_definition
    from rynek.practices.search import Like, alike_message, mover_document, movers

    like = Like(population, country.upper(), cities)
    found = movers(cards, find_definition(indicator), Viewer(member=True, admin=True), like)
    if as_json:
        told = [one.seen.document() | {"moved": mover_document(one)} for one in found]
        click.echo(json.dumps(told, ensure_ascii=False, indent=2))
        return
    for one in found:
        title = one.seen.card.title.get(language) or next(iter(one.seen.card.title.values()))  # type: ignore[call-overload]
        level = str(one.level) if one.level else "-"
        reason = one.reason.text(language)
        alike = "" if one.alike is None else "\t" + alike_message(one.alike).text(language)
        click.echo(f"{one.seen.id}\t{level}\t{one.direction}\t{title}\t{reason}{alike}")
    if not found:
        click.echo("no cards")
