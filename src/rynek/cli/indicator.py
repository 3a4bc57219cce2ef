"""`rynek indicator`: what a city's recorded data say in figures."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import click

from rynek.base.clock import SystemClock, to_iso
from rynek.cli.options import config_option, data_option, history_home, settings_of, tenant_option
from rynek.cli.waiting import waiting

_LANGUAGES: Final = ("en", "pl", "cs", "bg", "uk", "sr")
_language = click.option(
    "--language", type=click.Choice(_LANGUAGES), default="en", help="Of names; en without."
)
_period = click.option(
    "--period",
    help="2022, 2022-Q4, 2022-11, 2022-W45, 2022-11-05 or FROM/TO; the last whole month without.",
)
_known_as = click.option(
    "--known-as",
    multiple=True,
    help="A key under which reference tables know the city; those of its city.toml without.",
)
_json = click.option("--json", "as_json", is_flag=True, help="As JSON, with every figure.")


EPILOG = """\b
Examples:
  rynek indicator list
  rynek indicator compute --tenant pardubice --period 2022-11
  rynek indicator compute bins-over-80 bin-emptyings --json --things
  rynek indicator compute --entities --tenant praha > kpi.jsonl
  rynek indicator explain bike-stations-empty --tenant pardubice --period 2022-11
"""


@click.group(epilog=EPILOG)
def indicator() -> None:
    """Indicators of a city, computed from its history."""


@indicator.command("list")
@_json
@_language
def list_indicators(as_json: bool, language: str) -> None:
    """List the indicators that come with rynek."""
    import msgspec

    from rynek.indicators import definitions

    if as_json:
        rows = [msgspec.to_builtins(one) for one in definitions()]
        click.echo(json.dumps(rows, ensure_ascii=False, indent=1))
        return
    for one in definitions():
        click.echo(f"{one.id:26} {one.theme:12} {one.unit:18} {one.name[language]}")


@indicator.command()
@click.argument("names", metavar="[INDICATOR]...", nargs=-1)
@_period
@_json
@click.option("--things", is_flag=True, help="With --json: the part of every thing.")
@click.option("--all", "every", is_flag=True, help="Also those that have no things in this city.")
@click.option("--entities", is_flag=True, help="As NGSI-LD entities, one a line, for rynek import.")
@_known_as
@_language
@tenant_option
@data_option
@config_option
def compute(
    names: tuple[str, ...],
    period: str | None,
    as_json: bool,
    things: bool,
    every: bool,
    entities: bool,
    known_as: tuple[str, ...],
    language: str,
    tenant: str | None,
    data: Path | None,
    config: Path | None,
) -> None:
    """Compute INDICATORs (all without a name) from the history of a city.

    It may run beside a service: what that has not written to its table yet (some seconds) is not in
    it. What was summed up of days is kept beside the history, for the next time. Too little data gives "not enough data", never a number.
    """
    from rynek.indicators import value_document, value_entity

    if entities and as_json:
        raise click.UsageError("--entities or --json, not both")
    values = _values(names, period, known_as, tenant, data, config)
    if entities:
        city, now = tenant or settings_of(config, data).tenants.default, SystemClock().now()
        for one in values:
            if one.things or one.value is not None:
                click.echo(json.dumps(value_entity(one, city, now), ensure_ascii=False))
        return
    if as_json:
        found = [value_document(one, language, things=things) for one in values]
        click.echo(json.dumps(found, ensure_ascii=False, indent=1, allow_nan=False))
        return
    _print_values(values, every=every or bool(names))


def _print_values(found: list[Any], *, every: bool) -> None:
    values = found if every else [one for one in found if one.things or one.value is not None]
    for one in values:
        told = f"{_number(one.value)} {one.definition.unit}" if one.status == "ok" else one.status
        if one.interval:
            told += f" ({_number(one.interval[0])} to {_number(one.interval[1])})"
        click.echo(
            f"{one.definition.id:26} {told:34} coverage {one.coverage:6.1%}"
            f"  {len(one.things):>5} things  {one.readings:>9} readings"
        )
        if one.why and (every or len(one.things)):
            click.echo(f"{'':26} {one.why}")
    if any(one.interval for one in values):
        click.echo("in brackets: the 95 % interval, for the days that were not observed")
    if len(values) < len(found):
        click.echo(f"{len(found) - len(values)} more have no things here (--all shows them)")


@indicator.command()
@click.argument("name", metavar="INDICATOR")
@_period
@_json
@click.option("--sql", is_flag=True, help="With the query over the readings.")
@_known_as
@_language
@tenant_option
@data_option
@config_option
def explain(
    name: str,
    period: str | None,
    as_json: bool,
    sql: bool,
    known_as: tuple[str, ...],
    language: str,
    tenant: str | None,
    data: Path | None,
    config: Path | None,
) -> None:
    """Say what INDICATOR is, and where its value comes from: readings, files, query.

    Without --period and --tenant only what it is.
    """
    from rynek.indicators import find_definition

    one = find_definition(name)
    told = period is not None or tenant is not None or bool(known_as)
    values = _values((name,), period, known_as, tenant, data, config) if told else []
    if as_json:
        _explain_json(one, values, language)
        return
    _print_definition(one, language)
    for value in values:
        _print_value(value, sql=sql)


@indicator.command()
@tenant_option
@data_option
@config_option
def forget(tenant: str | None, data: Path | None, config: Path | None) -> None:
    """Drop what was kept of the days of a city: it is computed again when it is asked for."""
    from rynek.indicators import KeptDays

    home = history_home(settings_of(config, data), tenant)
    with KeptDays(home) as kept:
        click.echo(f"{kept.drop():,} bytes of {home.name} forgotten")


def _print_definition(one: Any, language: str) -> None:
    click.echo(f"{one.name[language]} ({one.unit})")
    click.echo(textwrap.fill(one.description[language], 100))
    better = {
        "more": "more is better",
        "less": "less is better",
        "none": "neither more nor less is better in itself",
    }.get(one.direction, f"{one.target or 0:g} is aimed at")
    click.echo(f"{better}; theme {one.theme}; usual period {one.period}")
    if one.standard:
        click.echo(f"standard: {one.standard}")
    if one.computation is not None:
        asked = one.computation
        what = f"{asked.type}.{asked.attribute}" if asked.attribute else f"{asked.type}, any value"
        click.echo(f"computed from: {what}; {asked.measure}; a value holds {asked.holds} unseen")
    if one.per is not None:
        click.echo(f"divided by {one.per.many:g} of {one.per.of}, from a reference table")
    if one.asked is not None:
        click.echo(f"asked: {one.asked.question} of the survey {one.asked.survey}")
    for part in one.imported:
        click.echo(f"imported: {', '.join(part.above)} of the reference table {part.table}")
    if one.known is not None:
        click.echo("imported: from any reference table with the population of the city")


def _explain_json(one: Any, values: list[Any], language: str) -> None:
    import msgspec

    from rynek.indicators import value_document

    told = {
        "definition": msgspec.to_builtins(one),
        "values": [value_document(value, language, things=True) for value in values],
    }
    click.echo(json.dumps(told, ensure_ascii=False, indent=1, allow_nan=False))


def _print_value(value: Any, *, sql: bool) -> None:
    origin, period = value.provenance, value.period
    told = f"{_number(value.value)} {value.definition.unit}" if value.status == "ok" else value.why
    click.echo(f"\n{period.label} ({period.zone}): {told}")
    if value.status != "ok":
        click.echo(value.status)
    click.echo(f"coverage {value.coverage:.1%}, needed {value.definition.least_coverage:.0%}")
    if value.interval:
        low, high = value.interval
        click.echo(f"95 % interval {_number(low)} to {_number(high)} (days not observed)")
    span = ""
    if value.first is not None and value.last is not None:
        span = f" from {to_iso(value.first)} to {to_iso(value.last)}"
    click.echo(f"{value.readings} readings of {len(value.things)} things{span}")
    click.echo(f"{origin.table} version {origin.version}, {origin.files} files")
    if value.per is not None:
        per = value.per
        year = "" if per.year is None else f" of {per.year}"
        click.echo(f"{per.of} {per.amount:g}{year} ({per.table} version {per.version}, {per.key})")
    for thing in value.things[:10]:
        told = "-" if thing.value is None else _number(thing.value)
        click.echo(f"  {told:>10}  {thing.coverage:6.1%}  {thing.readings:>8}  {thing.id}")
    if len(value.things) > 10:
        click.echo(f"  … {len(value.things) - 10} more (rynek indicator compute --json --things)")
    if sql:
        click.echo(f"query {origin.digest[:16]} over those readings:\n{origin.query}")
    else:
        click.echo(f"query {origin.digest[:16]} over those readings (--sql shows it)")


def _number(value: float) -> str:
    return f"{value:.4g}" if abs(value) < 10_000 else f"{value:.0f}"


def _values(
    names: Sequence[str],
    period: str | None,
    known_as: tuple[str, ...],
    tenant: str | None,
    data: Path | None,
    config: Path | None,
) -> list[Any]:
    """The values of the indicators, by theme and id."""
    from rynek.history import Record
    from rynek.indicators import (
        KeptDays,
        References,
        Sources,
        Surveys,
        compute_indicators,
        definitions,
        find_definition,
        last_month,
        open_indicators,
        parse_period,
    )
    from rynek.web import read_city

    wanted = [find_definition(name) for name in names] or list(definitions())
    settings = settings_of(config, data)
    home = history_home(settings, tenant)
    now, city = SystemClock().now(), read_city(home, home.name)
    asked = last_month(now, city.zone) if period is None else parse_period(period, city.zone)
    folder = Path(settings.data.path)
    sources = Sources(
        References(open_indicators(folder)),
        known_as or tuple(city.known_as),
        Surveys(folder),
    )
    values = []
    with waiting("computing") as say, Record(home / "history") as record, KeptDays(home) as kept:
        for one in compute_indicators(record, wanted, asked, now, sources, kept):
            values.append(one)
            say(f"{len(values)} of {len(wanted)}")
    return sorted(values, key=lambda one: (one.definition.theme, one.definition.id))
