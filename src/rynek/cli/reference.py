"""`rynek reference`: tables that others are divided by, joined on and named after."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from rynek.base.clock import to_iso
from rynek.cli.options import config_option, data_option, lacking, settings_of
from rynek.cli.waiting import waiting

EPILOG = """\b
Examples:
  rynek reference import ua-hromadas full_dataset.csv.gz
  rynek reference import eurostat-urb-cpop1 urb_cpop1.csv
  rynek reference list
  rynek reference export ua-hromadas --output hromadas.csv
"""


@click.group(epilog=EPILOG)
def reference() -> None:
    """Reference tables: populations, regions, city statistics; every version is kept."""


@reference.command("import")
@click.argument("definition")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@data_option
@config_option
def import_reference(definition: str, file: Path, data: Path | None, config: Path | None) -> None:
    """Import FILE by DEFINITION: one that comes with rynek (see `list --sources`) or a TOML file.

    The whole file or nothing: an impossible value stops the import with its cell. The same content
    again makes no new version. It may run beside a service.
    """
    from rynek.indicators import load_definition

    references, asked = _references(data, config, make=True), load_definition(definition)
    with waiting("importing"):
        kept, new = references.import_file(asked, file)
    about = kept.about
    click.echo(
        f"{kept.id} version {kept.version}: {about['rows']} rows"
        + ("" if new else ", as it was already")
    )
    if about["left_out"]:
        names = list(about["left_out"])
        click.echo(f"left out: {len(names)} ({', '.join(names[:5])} …)"[:200])
    if about["not_taken"]:
        click.echo(f"not taken: {len(about['not_taken'])} columns")
    click.echo(f"licence: {about['licence'] or 'not stated'}; period: {about['period'] or '?'}")


@reference.command("list")
@click.option("--sources", is_flag=True, help="The definitions that come with rynek.")
@click.option("--json", "as_json", is_flag=True, help="As JSON, with what is said of each.")
@data_option
@config_option
def list_references(sources: bool, as_json: bool, data: Path | None, config: Path | None) -> None:
    """List the tables that were imported, each in its newest version."""
    if sources:
        from rynek.indicators import shipped_definitions

        click.echo("\n".join(shipped_definitions()))
        return
    every = _references(data, config).newest()
    if as_json:
        rows = [
            {"id": one.id, "version": one.version, "imported": to_iso(one.at), "sha256": one.digest}
            | one.about
            for one in every
        ]
        click.echo(json.dumps(rows, ensure_ascii=False, indent=1))
        return
    for one in every:
        click.echo(
            f"{one.id:24} version {one.version}  {to_iso(one.at)[:10]}  {one.about['rows']:>6} rows"
            f"  {one.about['period']:12} {one.about['licence']}"
        )


@reference.command("export")
@click.argument("name")
@click.option("--version", type=int, help="Which version; the newest without.")
@click.option(
    "--output", type=click.Path(dir_okay=False, path_type=Path), help="The file to write."
)
@data_option
@config_option
def export_reference(
    name: str, version: int | None, output: Path | None, data: Path | None, config: Path | None
) -> None:
    """Write the table NAME as CSV, to standard output without --output."""
    from rynek.indicators import to_csv

    kept, table = _references(data, config).find(name, version)
    text = to_csv(kept.about["key"], table)
    if output is None:
        click.echo(text, nl=False)
        return
    from rynek.base.folder import write_atomically

    write_atomically(output, text.encode())


def _references(data: Path | None, config: Path | None, *, make: bool = False) -> Any:
    from rynek.base.folder import make_private
    from rynek.indicators import INDICATORS_FILE, References, open_indicators

    folder = Path(settings_of(config, data).data.path)
    file = folder / INDICATORS_FILE
    if make:
        make_private(folder)
    elif not file.is_file():
        raise lacking(f"{file}, so no tables", folder)
    return References(open_indicators(folder))
