"""`rynek practice`: cards of practices, and their effect computed from recorded data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

import click

from rynek.cli.options import config_option, data_option, tenant_option
from rynek.cli.practice_cards import COMMANDS
from rynek.cli.practice_history import asker
from rynek.cli.practice_moved import measure
from rynek.cli.practice_search import search
from rynek.cli.waiting import waiting

_MARKS: Final = {"passed": "ok  ", "failed": "BAD ", "not applicable": "n/a "}
_LANGUAGES: Final = ("en", "pl", "cs", "bg", "uk", "sr")


@click.group()
def practice() -> None:
    """What was done, and what it changed."""


@practice.command()
@click.argument("specification", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="As JSON, with every figure.")
@click.option(
    "--language", type=click.Choice(_LANGUAGES), default="en", help="Of the sentence; en without."
)
@tenant_option
@data_option
@config_option
def evaluate(
    specification: Path,
    as_json: bool,
    language: str,
    tenant: str | None,
    data: Path | None,
    config: Path | None,
) -> None:
    """Estimate an effect as SPECIFICATION (TOML) asks; see docs/practices.md for its keys.

    The panel that it names lies beside it, or is asked of the history of a data folder (--data),
    also beside a service: what that has not written to its table yet (some seconds) is not in it.
    Nothing is written. What cannot be estimated is refused with the reason, and the exit code is 1.
    """
    from rynek.practices import LOWERING, load_specification
    from rynek.practices import evaluate as run

    spec = load_specification(specification)
    with waiting("estimating"):
        found = run(spec, specification.parent, asker(config, data, tenant))
    if as_json:
        click.echo(json.dumps(found.document(), ensure_ascii=False, indent=2, allow_nan=False))
        return
    click.echo(found.sentence[language])
    click.echo(f"\ndesign: {found.estimate.design} ({found.why})")
    if found.estimate.uncertainty:
        click.echo(f"how sure: {found.estimate.uncertainty}")
    click.echo(f"level {found.level.number}: {found.level.reason}")
    click.echo(f"one more by: {found.level.would_lift}\n")
    for check in found.checks:
        counts = " *" if check.name in LOWERING else ""
        click.echo(f"{_MARKS[check.verdict]} {check.name}{counts}: {check.reason}")
    click.echo("     * counts for the level: where one or more of these fail, it is one lower")
    for other in found.others:
        told = other.get("refused") or f"{other['effect']:.4g}"
        click.echo(f"     {other['design']} gives: {told}")


@practice.command()
@click.argument("question", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--json", "form", flag_value="json", help="As JSON, with every figure.")
@click.option("--csv", "form", flag_value="csv", help="Who starts when, as CSV.")
@click.option("--ics", "form", flag_value="ics", help="Who starts when, as a calendar.")
@tenant_option
@data_option
@config_option
def plan(
    question: Path,
    form: str | None,
    tenant: str | None,
    data: Path | None,
    config: Path | None,
) -> None:
    """Plan a pilot as QUESTION (TOML) asks; see docs/practices.md for its keys.

    Says the smallest effect that so many places and periods could show, by the past of the
    outcome, how long a wanted one takes, and draws who starts when. Nothing is written.
    """
    from rynek.practices import as_csv, as_ics, load_plan
    from rynek.practices import plan as run

    asked = load_plan(question)
    with waiting("planning"):
        found = run(asked, question.parent, asker(config, data, tenant))
    if form == "json":
        click.echo(json.dumps(found.document(), ensure_ascii=False, indent=2, allow_nan=False))
    elif form == "csv":
        click.echo(as_csv(found.starts), nl=False)
    elif form == "ics":
        click.echo(as_ics(found.starts, asked.title or asked.outcome or "Pilot"), nl=False)
    else:
        click.echo(found.sentence())
        for one in found.starts:
            if one.period is not None:
                click.echo(f"{one.period}  group {one.group}  {one.place}")


for _command in (*COMMANDS, measure, search):
    practice.add_command(_command)
