"""`rynek practice`: cards of practices, and their effect computed from recorded data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

import click

from rynek.cli.practice_cards import COMMANDS
from rynek.cli.practice_search import search

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
def evaluate(specification: Path, as_json: bool, language: str) -> None:
    """Estimate an effect as SPECIFICATION (TOML) asks; see docs/practices.md for its keys.

    The panel that it names lies beside it. Nothing is written. What cannot be estimated is refused
    with the reason, and the exit code is 1.
    """
    from rynek.practices import evaluate as run
    from rynek.practices import load_specification

    found = run(load_specification(specification), specification.parent)
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
        click.echo(f"{_MARKS[check.verdict]} {check.name}: {check.reason}")
    for other in found.others:
        told = other.get("refused") or f"{other['effect']:.4g}"
        click.echo(f"     {other['design']} gives: {told}")


for _command in (*COMMANDS, search):
    practice.add_command(_command)
