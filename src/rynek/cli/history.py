"""`rynek history`: what can be done about a history that is damaged."""

from __future__ import annotations

from pathlib import Path

import click

from rynek.base.folder import DataFolder
from rynek.base.storage import storage_problem
from rynek.cli.options import config_option, data_option, history_home, settings_of, tenant_option
from rynek.cli.waiting import waiting

REPAIR_EPILOG = """\b
Examples:
  rynek doctor --deep --data ./rynek-data
  rynek history repair --tenant kyiv --data ./rynek-data
"""


@click.group()
def history() -> None:
    """Look after the history of a city."""


@history.command(epilog=REPAIR_EPILOG)
@tenant_option
@click.option("--yes", is_flag=True, help="Do not ask.")
@data_option
@config_option
def repair(tenant: str | None, yes: bool, data: Path | None, config: Path | None) -> None:
    """Put a damaged history right; no service may be running on the folder.

    Every file is read. What cannot be read leaves the table and is kept in history/set-aside; what
    the change log still has of it is written again. A backup may hold the rest.
    """
    from rynek.context import read_changes
    from rynek.history import faults
    from rynek.history import repair as mend

    settings = settings_of(config, data)
    folder = DataFolder(Path(settings.data.path))
    home = history_home(settings, tenant)
    folder.open()
    try:
        with waiting("reading every file") as say:
            found = faults(home / "history", deep=True, progress=say)
        for fault in found:
            click.echo(f"damaged: {fault.path}: {fault.what}")
        if not yes:
            click.confirm(
                "Put aside what cannot be read, and write again what the change log has of it?"
                " Readings in it that were corrected or deleted come back as they were recorded",
                abort=True,
            )
        with waiting("repairing") as say, read_changes(home) as changes:
            done = mend(home / "history", changes, say)
    except Exception as error:
        problem = storage_problem(error, home / "state.db")
        if problem is None:
            raise
        raise click.ClickException(f"{problem.detail}; rynek doctor says what to do") from error
    finally:
        folder.close()
    for line in done.told or ["nothing is damaged"]:
        click.echo(line)
    if done.commits_gone:
        click.echo(
            f"how many readings the lost commits brought is not known: {done.rows_back} are back"
            " from the change log; a backup may hold more"
        )
    elif done.rows_gone:
        click.echo(f"{done.rows_gone} readings could not be read, {done.rows_back} are back")
