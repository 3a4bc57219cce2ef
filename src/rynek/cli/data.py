"""`rynek export`, `import`, `backup`, `restore`: data in and out of a city, or all of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click

from rynek.base.folder import FolderError
from rynek.base.settings import Settings
from rynek.cli.options import config_option, data_option, settings_of, tenant_option
from rynek.cli.waiting import waiting

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")

EXPORT_EPILOG = """\b
Examples:
  rynek export kyiv.jsonl.gz --tenant kyiv --server http://127.0.0.1:8026
  rynek export readings.parquet --tenant kyiv --data ./rynek-data
"""
IMPORT_EPILOG = """\b
Examples:
  rynek import kyiv.jsonl.gz --tenant kyiv --server http://127.0.0.1:8026 --token rynek_…
  rynek import readings.parquet --tenant kyiv --data ./rynek-data
"""
BACKUP_EPILOG = """\b
Examples:
  rynek backup monday.tar --data ./rynek-data
  rynek restore monday.tar --data ./restored
"""
_KINDS = "FILE ends in .jsonl, .jsonl.gz (entities, one a line) or .parquet (readings)"


def server_options(function: F) -> F:
    """--server and --token: through a running service."""
    token = click.option(
        "--token",
        envvar="RYNEK_TOKEN",
        help="A token of the service, where it asks for one (or the variable RYNEK_TOKEN).",
    )
    server = click.option("--server", help="The address of a running service; not its folder.")
    return server(token(function))


def _is_readings(path: Path) -> bool:
    if path.name.endswith((".jsonl", ".jsonl.gz")):
        return False
    if path.name.endswith(".parquet"):
        return True
    raise click.ClickException(_KINDS)


@contextmanager
def _said() -> Iterator[None]:
    """Turn expected failures into one line."""
    from rynek.cli.transfer import TransferError

    try:
        yield
    except FolderError as error:
        message = f"{error}; for entities of a running service give --server http://…"
        raise click.ClickException(message) from None
    except (TransferError, OSError) as error:
        raise click.ClickException(str(error)) from None
    except Exception as error:
        if type(error).__module__.startswith("httpx"):
            raise click.ClickException(f"the service cannot be reached: {error}") from None
        raise


def _run(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(work)


@click.command("export", epilog=EXPORT_EPILOG)
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@tenant_option
@server_options
@data_option
@config_option
def export_data(
    file: Path,
    tenant: str | None,
    server: str | None,
    token: str | None,
    data: Path | None,
    config: Path | None,
) -> None:
    """Write a city's entities (.jsonl, .jsonl.gz) or its whole history (.parquet) to FILE.

    Entities are normalized NGSI-LD, one a line. Readings are one row each, with the columns of
    docs/cli.md. Without --server the city is read from the data folder, which no service may be
    running on.
    """
    readings = _is_readings(file)
    if server is not None and readings:
        raise click.ClickException(
            "readings are exported from the data folder: stop the service, or restore a backup"
            " (rynek backup works while it runs) and export from there"
        )
    draft = file.with_name(f".{file.name}.part" + "".join(file.suffixes[-2:]))
    try:
        with _said(), _bar("exporting") as progress:
            if server is not None:
                count = _remote_export(server, token, tenant, draft, progress)
            else:
                count = _run(_export(settings_of(config, data), tenant, draft, progress))
        if draft.exists():
            draft.replace(file)
    finally:
        draft.unlink(missing_ok=True)
    click.echo(f"{count} {'readings' if readings else 'entities'} in {file}")


def _remote_export(
    server: str, token: str | None, tenant: str | None, draft: Path, progress: Callable[[int], None]
) -> int:
    from rynek.cli.transfer import Remote, opened

    with opened(draft, "w") as out:
        return Remote(server, token, tenant).export(out, progress)


async def _export(
    settings: Settings, tenant: str | None, draft: Path, progress: Callable[[int], None]
) -> int:
    from rynek.cli.transfer import (
        Folder,
        export_entities,
        export_readings,
        opened,
    )

    async with Folder(settings, tenant, create=False) as city:
        if _is_readings(draft):
            return await export_readings(city, draft, progress)
        with opened(draft, "w") as out:
            return await export_entities(city, out, progress)


@click.command("import", epilog=IMPORT_EPILOG)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@tenant_option
@server_options
@data_option
@config_option
def import_data(
    file: Path,
    tenant: str | None,
    server: str | None,
    token: str | None,
    data: Path | None,
    config: Path | None,
) -> None:
    """Read entities (.jsonl, .jsonl.gz) or past readings (.parquet) from FILE into a city.

    An entity that exists is replaced. Readings of one file are stored once, however often it is
    imported. What is refused is listed, and the exit code is then 1.
    """
    readings = _is_readings(file)
    if server is not None and readings:
        raise click.ClickException("readings are imported into the data folder: stop the service")
    with _said(), _bar("importing") as progress:
        if server is not None:
            from rynek.cli.transfer import Remote

            done, refused = Remote(server, token, tenant).load(file, progress)
        else:
            done, refused = _run(_import(settings_of(config, data), tenant, file, progress))
    click.echo(f"{done} {'new readings' if readings else 'entities'} from {file}")
    for entity_id, why in refused[:20]:
        click.echo(f"refused: {entity_id}: {why}", err=True)
    if refused:
        raise click.ClickException(f"{len(refused)} entities were refused")


async def _import(
    settings: Settings, tenant: str | None, file: Path, progress: Callable[[int], None]
) -> tuple[int, list[tuple[str, str]]]:
    from rynek.cli.transfer import Folder, import_entities, import_readings

    async with Folder(settings, tenant) as city:
        if _is_readings(file):
            return await import_readings(city, file, progress), []
        return await import_entities(city, file, progress)


@click.command(epilog=BACKUP_EPILOG)
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@data_option
@config_option
def backup(file: Path, data: Path | None, config: Path | None) -> None:
    """Write the whole data folder to FILE (a tar), also while a service runs on it.

    It holds every city, its history, feeds and tokens; keep it as safe as the folder itself.
    """
    from rynek.backup import BackupError
    from rynek.backup import backup as make

    folder = Path(settings_of(config, data).data.path)
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        with waiting("backing up") as say:
            about = make(folder, file, say)
    except BackupError as error:
        raise click.ClickException(str(error)) from None
    size = file.stat().st_size / 1e6
    click.echo(f"{file}: {size:.1f} MB, {len(about.tables)} tenants with history")


@click.command(epilog=BACKUP_EPILOG)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--force", is_flag=True, help="Replace what is in the folder, after asking.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@data_option
@config_option
def restore(file: Path, force: bool, yes: bool, data: Path | None, config: Path | None) -> None:
    """Unpack the backup FILE into an empty data folder; no service may be running on it."""
    from rynek.backup import BackupError
    from rynek.backup import restore as unpack

    folder = Path(settings_of(config, data).data.path)
    if force and not yes and (folder / "format").is_file():
        click.confirm(f"Delete everything in {folder} and put {file} in its place?", abort=True)
    try:
        with waiting("restoring") as say:
            about = unpack(file, folder, force=force, progress=say)
    except BackupError as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"{folder}: as of {about.made}; start it with: rynek serve --data {folder}")


@contextmanager
def _bar(label: str) -> Iterator[Callable[[int], None]]:
    """A counter on a terminal, where it takes a while."""
    done = 0
    with waiting(label) as say:

        def more(count: int) -> None:
            nonlocal done
            done += count
            say(f"{done:,}")

        yield more
