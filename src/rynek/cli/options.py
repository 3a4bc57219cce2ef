"""Options that several commands share."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from rynek.base import log
from rynek.base.logfile import RotatingFile
from rynek.base.settings import Settings, load

F = TypeVar("F", bound=Callable[..., Any])


def data_option(function: F) -> F:
    """--data: the data folder."""
    return click.option(
        "--data",
        type=click.Path(file_okay=False, path_type=Path),
        help="The data folder (setting data.path, default ./rynek-data).",
    )(function)


def config_option(function: F) -> F:
    """--config: the settings file."""
    return click.option(
        "--config",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="A TOML file with settings (docs/settings.md).",
    )(function)


def tenant_option(function: F) -> F:
    """--tenant: which city."""
    return click.option("--tenant", help="The tenant (setting tenants.default).")(function)


def settings_of(
    config: Path | None, data: Path | None, overrides: dict[str, object] | None = None
) -> Settings:
    """Settings from file, environment and command line. SettingsError when one is wrong."""
    given = dict(overrides or {})
    if data is not None:
        given["data.path"] = str(data)
    return load(config, os.environ, given)


def lacking(what: str, folder: Path) -> click.ClickException:
    """The error of a command that only reads where its folder lacks something; it names the demo's
    folder where there is one and another was looked at."""
    from rynek.demo import data_folder

    demo = data_folder()
    hint = f"is --data right? It looked in {folder}"
    if (demo / "format").is_file() and demo.resolve() != folder.resolve():
        hint += f"; the demo's folder is {demo}: --data {demo}"
    return click.ClickException(f"there is no {what}: {hint}")


def existing_folder(config: Path | None, data: Path | None) -> Path:
    """The data folder of a command that only reads; ClickException where there is none."""
    folder = Path(settings_of(config, data).data.path)
    if not folder.is_dir():
        raise lacking(f"folder {folder}", folder)
    return folder


def history_home(settings: Settings, tenant: str | None) -> Path:
    """The folder of a city that has a history; ClickException names the cities that have one."""
    folder = Path(settings.data.path)
    name = tenant or settings.tenants.default
    home = folder / "tenants" / name
    if (home / "history").is_dir():
        return home
    found = (one.parent.name for one in (folder / "tenants").glob("*/history"))
    # What begins with an underscore is the service's own, no city.
    names = sorted(one for one in found if not one.startswith("_"))
    if not names:
        raise lacking(f"history in {home}", folder)
    asked = "" if tenant else " (the default city, as --tenant was not given)"
    raise click.ClickException(
        f"there is no history of {name!r}{asked} in {folder}; there is one of {', '.join(names)}:"
        f" --tenant {names[0]}"
    )


def log_as(settings: Settings) -> None:
    """Set up the log as the settings say; ClickException when its file cannot be written."""
    told, file = settings.log, None
    if told.file:
        try:
            file = RotatingFile(
                Path(told.file),
                max_bytes=told.file_mb << 20,
                hours=told.file_hours,
                keep=told.file_count,
            )
        except OSError as error:
            raise click.ClickException(
                f"log.file: {told.file}: {error.strerror or error}: name a file that may be written"
            ) from None
    log.setup(told.level, told.format, file=file)
