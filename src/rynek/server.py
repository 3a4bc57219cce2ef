"""Runs an engine and its HTTP server on one event loop until a signal ends them."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import resource
import signal
import socket
import sys
import threading
from collections.abc import Callable, Coroutine
from typing import Any, Final

import uvloop
from granian.constants import Interfaces
from granian.server.embed import Server

from rynek.app import Engine
from rynek.web import Application

_logger = logging.getLogger(__name__)
_STOP_SECONDS: Final = 2.0
_LEAVE_SECONDS: Final = 4.0
_OPEN_FILES: Final = 65_536

Ready = Callable[[str], None]
Background = Callable[[], Coroutine[Any, Any, None]]


class PortInUse(RuntimeError):
    """The port cannot be had; the message says what to do."""


def run(engine: Engine, ready: Ready, background: Background | None) -> None:
    """Serve until SIGTERM or SIGINT; `ready` gets the URL once the first answer can be given.

    `background` runs beside the server (the demo's loading of the past). PortInUse, FolderError.
    Whatever is still busy four seconds after the signal is left: all that was acknowledged is
    durable, and history goes on from the log at the next start.
    """
    uvloop.run(serve(engine, ready, background, on_signal=_leave_later))


async def serve(
    engine: Engine,
    ready: Ready,
    background: Background | None = None,
    on_signal: Callable[[], None] | None = None,
) -> None:
    """`run` on the current event loop."""
    settings = engine.settings.server
    port = _check_port(settings.host, settings.port)
    _raise_open_files()
    _tune()
    engine.open()
    server = Server(
        Application(engine),
        address=settings.host,
        port=port,
        interface=Interfaces.ASGI,
        websockets=False,
        log_enabled=False,
    )
    end = _signals(on_signal)
    serving = asyncio.create_task(server.serve())
    try:
        await engine.start()
        await _answers(settings.host, port)
        ready(f"http://{settings.host}:{port}{settings.base_path}/")
        beside = asyncio.create_task(background()) if background else None
        await _first(end, serving)
        if beside is not None:
            beside.cancel()
            await asyncio.gather(beside, return_exceptions=True)
    finally:
        engine.stopping.set()
        await _stop(server, serving)
        await engine.stop()


async def _first(end: asyncio.Event, serving: asyncio.Task[None]) -> None:
    waiting = asyncio.create_task(end.wait())
    await asyncio.wait({waiting, serving}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()


async def _stop(server: Server, serving: asyncio.Task[None]) -> None:
    """Give open streams a moment to end by `stopping`, then end the server whatever is open."""
    await asyncio.sleep(0.1)
    server.stop()  # type: ignore[no-untyped-call]
    with contextlib.suppress(TimeoutError, asyncio.CancelledError):
        await asyncio.wait_for(serving, _STOP_SECONDS)


def _signals(on_signal: Callable[[], None] | None) -> asyncio.Event:
    end = asyncio.Event()
    loop = asyncio.get_running_loop()

    def told() -> None:
        if on_signal is not None and not end.is_set():
            on_signal()
        end.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told)
    return end


def _leave_later() -> None:
    watch = threading.Timer(_LEAVE_SECONDS, _leave)
    watch.daemon = True
    watch.start()


def _leave() -> None:
    _logger.warning("still busy: history goes on from the log at the next start")
    logging.shutdown()
    os._exit(0)


async def _answers(host: str, port: int) -> None:
    """Wait until the socket takes connections."""
    for _ in range(200):
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection(host, port)
            writer.close()
            return
        await asyncio.sleep(0.02)
    raise PortInUse(f"the server did not come up on {host}:{port}")


def _check_port(host: str, port: int) -> int:
    """The port, a free one for 0; PortInUse when it cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise PortInUse(
                f"{host}:{port}: {error.strerror}: choose another with --port (or PORT=… make demo)"
            ) from error
        return int(probe.getsockname()[1])


def _tune() -> None:
    """Threads that prepare history hand the interpreter back to the loop five times sooner, and
    the collector looks at long-lived objects less often (imports are never garbage)."""
    sys.setswitchinterval(0.001)
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


def _raise_open_files() -> None:
    """As many open files as the system lets us have: every idle client costs one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = min(_OPEN_FILES, hard)
    if soft < wanted:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
