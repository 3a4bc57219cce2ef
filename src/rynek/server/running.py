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
import ssl
import sys
import threading
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final

import uvloop

from rynek.app import Engine
from rynek.base.settings import Server
from rynek.base.trouble import Trouble
from rynek.server.certificates import Certificate
from rynek.server.doorkeeper import Doorkeeper, room
from rynek.server.listening import PortInUse, ServeError, listen
from rynek.server.notify import Supervisor
from rynek.server.plain import Plain
from rynek.server.workers import Workers
from rynek.web import Application

_logger = logging.getLogger(__name__)
_STOP_SECONDS: Final = 2.0
_LEAVE_SECONDS: Final = 4.0
_BEGIN_SECONDS: Final = 10.0
_LOOK_SECONDS: Final = 1.0
_OPEN_FILES: Final = 65_536
# Connections above the bound that are taken until the doorkeeper has made room.
_DOOR: Final = 256

Ready = Callable[[str], None]
Background = Callable[[], Coroutine[Any, Any, None]]


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
    files = _raise_open_files()
    # Before the data folder is touched: a port in use or a wrong certificate leaves all as it was.
    with contextlib.ExitStack() as stack:
        sock = stack.enter_context(contextlib.closing(listen(settings)))
        engine.port = sock.getsockname()[1]
        system = stack.enter_context(contextlib.closing(Supervisor()))
        end = _signals(on_signal)
        # With TLS browsers want HTTP/2, which granian speaks.
        serving = Workers if settings.tls_certificate else Plain
        workers = serving(sock, settings, min(settings.max_connections + _DOOR, room(files)))
        certificate = Certificate(settings, workers, system)
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, certificate.reload)
        _tune()
        engine.open()
        application = Application(engine)
        workers.begin(application)
        doorkeeper = stack.enter_context(
            contextlib.closing(Doorkeeper(sock, settings, application.refuse))
        )
        upkeep = asyncio.create_task(_upkeep(doorkeeper, application, certificate, system))
        try:
            await engine.start()
            gc.freeze()
            await _answers(sock, tls=bool(settings.tls_certificate))
            url = _url(settings, sock)
            ready(url)
            system.ready(f"serving {url}")
            beside = asyncio.create_task(background()) if background else None
            await _first(end, upkeep)
            await _cancelled(beside)
            if not end.is_set():
                raise ServeError(f"the HTTP server has ended by itself: {workers.fault}")
        finally:
            system.stopping()
            engine.stopping.set()
            await asyncio.sleep(0.1)  # for open streams to end by `stopping`
            # First, for it would take the end of the server for one that nobody wished.
            await _cancelled(upkeep)
            await workers.end(_STOP_SECONDS)
            await engine.stop()


async def _first(end: asyncio.Event, serving: asyncio.Task[None]) -> None:
    waiting = asyncio.create_task(end.wait())
    await asyncio.wait({waiting, serving}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()


async def _cancelled(task: asyncio.Task[None] | None) -> None:
    if task is not None:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _upkeep(
    doorkeeper: Doorkeeper, application: Application, certificate: Certificate, system: Supervisor
) -> None:
    """What the server looks after once a second; returns only when it can serve no more."""
    loop = asyncio.get_running_loop()
    told = 0.0
    parts = {
        part: Trouble(f"upkeep: {name}", _logger)
        for name, part in (
            ("bodies that stopped coming", application.bodies.sweep),
            ("looking at the certificate", certificate.look),
            ("counting connections", doorkeeper.look),
        )
    }
    while certificate.workers.working:
        if system.watchdog_seconds is not None and loop.time() - told >= system.watchdog_seconds:
            told = loop.time()
            system.alive()
        for part, trouble in parts.items():
            await _kept_up(part, trouble)
        await asyncio.sleep(min(_LOOK_SECONDS, system.watchdog_seconds or _LOOK_SECONDS))
    _logger.error("the HTTP server has ended by itself: %s", certificate.workers.fault)


async def _kept_up(part: Callable[[], Awaitable[None] | None], trouble: Trouble) -> None:
    """One part of the upkeep; where it fails (no descriptor is left) the others go on."""
    try:
        waited = part()
        if waited is not None:
            await waited
    except Exception as error:
        trouble.note(error)
    else:
        trouble.over()


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


async def _answers(sock: socket.socket, *, tls: bool) -> None:
    """Wait until a request is answered; PortInUse when none is."""
    host, port = sock.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
    # What answers is this process: who it says it is does not matter here.
    context = ssl._create_unverified_context() if tls else None  # noqa: S323
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(_BEGIN_SECONDS):
            reader, writer = await asyncio.open_connection(host, port, ssl=context)
            writer.write(
                b"OPTIONS /ngsi-ld/v1/ HTTP/1.1\r\nHost: rynek\r\nConnection: close\r\n\r\n"
            )
            found = await reader.read(1)
            writer.close()
            if found:
                return
    raise PortInUse(f"the server did not come up on {host}:{port}")


def _url(server: Server, sock: socket.socket) -> str:
    scheme = "https" if server.tls_certificate else "http"
    host = f"[{server.host}]" if ":" in server.host else server.host
    return f"{scheme}://{host}:{sock.getsockname()[1]}{server.base_path}/"


def _tune() -> None:
    """Threads that prepare history hand the interpreter back to the loop 25 times sooner. The
    collector stops everything for a fourth of a microsecond an object: it looks at few at a time,
    and less often at long-lived ones (imports are never garbage)."""
    sys.setswitchinterval(0.0002)
    gc.freeze()
    gc.set_threshold(500, 4, 2_000)


def _raise_open_files() -> int:
    """As many open files as the system lets us have (how many): every client costs one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = min(_OPEN_FILES, hard)
    if soft < wanted:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]
