"""`rynek index`: a composite index with its uncertainty."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from rynek.cli.options import config_option, data_option, settings_of
from rynek.cli.waiting import waiting

EPILOG = """\b
Examples:
  rynek index run smart.toml             who leads, and who cannot be told apart
  rynek index run smart.toml --json      every figure
  rynek index publish smart.toml         on the pages under /compare
"""


@click.group(epilog=EPILOG)
def index() -> None:
    """Compare cities and regions, and how sure that is."""


@index.command()
@click.argument("specification", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="As JSON, with every figure.")
def run(specification: Path, as_json: bool) -> None:
    """Compute the index of SPECIFICATION (TOML); see docs/indexes.md for its keys.

    The table that it names lies beside it. Nothing is written. What is impossible in the table is
    refused with its cell, and the exit code is 1.
    """
    from rynek.indicators import document, evaluate_index, load_specification

    spec = load_specification(specification)
    with waiting("computing"):
        found = document(evaluate_index(spec, specification.parent))
    if as_json:
        click.echo(json.dumps(found, ensure_ascii=False, indent=1, allow_nan=False))
        return
    _print(found)


@index.command()
@click.argument("specification", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@data_option
@config_option
def publish(specification: Path, data: Path | None, config: Path | None) -> None:
    """Compute the index of SPECIFICATION and show it on the pages under /compare.

    Every version is kept; the same result again makes none. It may run beside a service.
    """
    from rynek.base.folder import make_private
    from rynek.indicators import Comparisons, open_indicators

    folder = Path(settings_of(config, data).data.path)
    make_private(folder)
    with waiting("computing"):
        kept, new = Comparisons(open_indicators(folder)).publish(specification)
    click.echo(
        f"{kept.id} version {kept.version}: {kept.about['units']} units"
        + ("" if new else ", as it was already")
    )
    click.echo(f"it stands under /compare/{kept.id}")


def _said(text: Any) -> str:
    return str(text.get("en") or next(iter(text.values()), "")) if isinstance(text, dict) else text


def _print(found: dict[str, Any]) -> None:
    click.echo(_said(found["name"]))
    if found["statement"]:
        click.echo(_said(found["statement"]))
    click.echo(
        f"{len(found['units'])} units, {len(found['left_out'])} left out; {found['runs']} variants"
    )
    for kind in ("groups", "units"):
        rows = [row for row in found[kind] if row["rank"] is not None]
        rows.sort(key=lambda row: row["rank"])
        if not rows:
            continue
        sampled = any("population_rank_interval" in row for row in rows)
        click.echo(
            f"\n{kind}: rank, interval over {found['interval']:.0%} of the variants,"
            f"{' as a sample,' if sampled else ''} score"
        )
        for row in rows[:15]:
            spread = f"{_spread(row, 'rank_interval'):>9}"
            if sampled:
                spread += f"  {_spread(row, 'population_rank_interval'):>9}"
            click.echo(f"{row['rank']:6g}  {spread}  {row['score']:8.2f}  {_said(row['name'])}")
        if len(rows) > 15:
            click.echo(f"        … {len(rows) - 15} more (--json)")
        _print_leading(found["leading"][kind], {row["id"]: _said(row["name"]) for row in rows})
    if found["variance"] and found["variance"]["choices"]:
        click.echo("\nwhich choice moves the ranking (share of the variance alone; in all):")
        for name, part in found["variance"]["choices"].items():
            click.echo(f"  {name:14} {part['first']:6.1%} {part['total']:6.1%}")
    click.echo(f"\n{found['wording']}")


def _spread(row: dict[str, Any], name: str) -> str:
    low, high = row.get(name) or (None, None)
    return "" if low is None else f"{low:g}-{high:g}"


def _print_leading(told: dict[str, Any] | None, names: dict[str, str]) -> None:
    """Who leads and who cannot be told apart from it; of regions that are counted whole also how it
    is if their cities are a sample, which is the harder question."""
    if told is None:
        return
    leader = names[told["leader"]]
    if told["told_apart"]:
        click.echo(f"{leader} is ahead of every other in these variants")
    else:
        click.echo(f"{leader} can't be told apart from {_near(told, names)}")
    sample = told.get("as_population")
    if sample is None:
        return
    if sample["told_apart"]:
        click.echo("That holds also if its cities are seen as a sample of what it brings forth.")
    else:
        click.echo(
            "If the cities of a region are seen as a sample of what it brings forth, it can't be"
            f" told apart from {_near(sample, names)}"
        )


def _near(told: dict[str, Any], names: dict[str, str]) -> str:
    near = [names[one["id"]] for one in told["not_told_apart"]]
    return ", ".join(near[:5]) + (f" and {len(near) - 5} more" if len(near) > 5 else "")
