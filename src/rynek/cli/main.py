"""`rynek`: the group of all commands, and how errors reach a person."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import click

from rynek import __version__
from rynek.base.errors import Problem
from rynek.base.folder import FolderError
from rynek.base.settings import SettingsError
from rynek.base.sqlite import MigrationError
from rynek.cli.data import backup, export_data, import_data, restore
from rynek.cli.demo import demo
from rynek.cli.doctor import doctor
from rynek.cli.feed import feed
from rynek.cli.history import history
from rynek.cli.index import index
from rynek.cli.indicator import indicator
from rynek.cli.practice import practice
from rynek.cli.reference import reference
from rynek.cli.serve import serve
from rynek.cli.survey import survey
from rynek.cli.token import token

EPILOG = """\b
Examples:
  rynek demo                                 real cities on http://127.0.0.1:8026/
  rynek serve --data ./rynek-data            your own city
  rynek feed check https://…/vehicles.pb     what is in a source, without writing
  rynek token create office --scope write    a token that may write
  rynek backup monday.tar                    everything in one file, also while it runs
  rynek doctor                               is everything as it should be
  rynek practice evaluate zone.toml          what a practice changed
  rynek indicator compute --period 2026-09   what a city's data say in figures
  rynek index run smart.toml                 cities compared, and how sure that is
"""


@click.group(context_settings={"help_option_names": ["-h", "--help"]}, epilog=EPILOG)
@click.version_option(__version__, prog_name="rynek")
def cli() -> None:
    """rynek: a city sees itself live, measures itself, and learns from other cities.

    Everything lives in one data folder; every setting is a key of one TOML file or an environment
    variable (docs/settings.md).
    """


for command in (
    demo,
    serve,
    feed,
    import_data,
    export_data,
    backup,
    restore,
    token,
    history,
    doctor,
    practice,
    index,
    indicator,
    reference,
    survey,
):
    cli.add_command(command)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; an expected error is one line on stderr and exit code 1, a wrong
    setting exit code 78: the same command would fail again, and systemd does not try it."""
    try:
        cli.main(args=list(arguments) if arguments is not None else None, prog_name="rynek")
    except (FolderError, MigrationError, SettingsError, Problem) as error:
        click.echo(f"rynek: {error}", err=True)
        sys.exit(os.EX_CONFIG if isinstance(error, SettingsError) else 1)
