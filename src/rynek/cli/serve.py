"""`rynek serve`: the service."""

from __future__ import annotations

from pathlib import Path

import click

from rynek.cli.options import config_option, data_option, log_as, settings_of


@click.command()
@data_option
@config_option
@click.option("--host", help="Address to listen on (setting server.host, default 127.0.0.1).")
@click.option("--port", type=int, help="Port to listen on (setting server.port, default 8026).")
def serve(data: Path | None, config: Path | None, host: str | None, port: int | None) -> None:
    """Run the service on one data folder until it is stopped (Ctrl-C or SIGTERM).

    Pages are at /, the NGSI-LD API at /ngsi-ld/v1. Feeds are the files in
    <data>/tenants/<tenant>/feeds; `rynek feed add` writes them, also while the service runs.
    """
    overrides: dict[str, object] = {}
    if host is not None:
        overrides["server.host"] = host
    if port is not None:
        overrides["server.port"] = port
    settings = settings_of(config, data, overrides)
    log_as(settings)

    # Only the commands that serve pay for importing the whole service.
    from rynek.app import Engine
    from rynek.server import ServeError, run

    try:
        run(Engine(settings), lambda url: click.echo(f"ready {url}"), None)
    except ServeError as error:
        raise click.ClickException(str(error)) from None
