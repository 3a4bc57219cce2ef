"""`rynek demo`: real cities from recordings."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import click

from rynek.base.progress import Loading
from rynek.base.settings import load
from rynek.cli.options import log_as

EPILOG = """\b
Examples:
  rynek demo                 http://127.0.0.1:8026/
  rynek demo --port 9000     another port
  rynek demo --fresh         from the beginning
"""


@click.command(epilog=EPILOG)
@click.option(
    "--port", type=click.IntRange(0, 65535), help="Port on 127.0.0.1 (setting server.port, 8026)."
)
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    help="A folder of its own (default: rynek/demo in the user's cache).",
)
@click.option("--fresh", is_flag=True, help="Throw away what earlier runs recorded.")
def demo(port: int | None, data: Path | None, fresh: bool) -> None:
    """Run a network of eight real cities from recordings that ship with rynek.

    Kyiv, Poznań, Plzeň, Kraków, Pardubice, Praha, Sofia and Oslo are replayed through the same
    connectors, store and pages as live data. Everyone on this machine may read and write. The
    long past of Pardubice is loaded behind the running service; a restart goes on where the last
    run was stopped.
    """
    from rynek.demo import DEFAULT_CITY, data_folder, install

    folder = data or Path(os.environ.get("RYNEK_DATA_PATH") or data_folder())
    overrides: dict[str, object] = {
        "server.host": "127.0.0.1",
        "access.anonymous": "write",
        "metrics.anonymous": "loopback",
        "tenants.default": DEFAULT_CITY,
        "data.path": str(folder),
    }
    if port is not None:
        overrides["server.port"] = port
    settings = load(None, os.environ, overrides)
    # Everyone on this machine may write, so pages of other sites open in a browser may not call.
    own = f"http://127.0.0.1:{settings.server.port}"
    settings = load(None, os.environ, overrides | {"access.cors_origins": [own]})
    log_as(settings)
    install(folder, fresh=fresh)

    from rynek.app import Engine
    from rynek.demo import load_past, load_timetables, make_surveys
    from rynek.server import ServeError, run

    engine = Engine(settings)
    address = own

    def ready(url: str) -> None:
        nonlocal address
        address = url.rstrip("/")
        click.echo(f"ready {url}")

    async def background() -> None:
        token = await asyncio.to_thread(make_surveys, folder)
        click.echo(f"a survey to try: {address}/survey/{token}", err=True)
        await load_timetables(engine.tenants)
        await load_past(engine.tenants, _Report())

    try:
        run(engine, ready, background)
    except ServeError as error:
        raise click.ClickException(str(error)) from None


class _Report:
    """Says on the terminal how far the past is: one line that moves, or one a tenth in a log."""

    def __init__(self) -> None:
        self._moving = sys.stderr.isatty()
        self._told = -1

    def __call__(self, city: str, state: Loading) -> None:
        share = 100 if state.finished else min(99, state.done * 100 // max(1, state.total))
        step = share if self._moving else share // 10
        if step == self._told and not state.error:
            return
        self._told = step
        line = f"{city}: {state.title['en']}: {state.done:,} of {state.total:,} ({share} %)"
        if state.error:
            line = f"{city}: the past was not loaded: {state.error}"
        end = state.finished or bool(state.error)
        click.echo(f"\r{line}" if self._moving else line, err=True, nl=end or not self._moving)
