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
