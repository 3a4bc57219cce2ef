"""granian's workers on a socket of ours: one at a time, the next one before the last ends."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
import ssl
from pathlib import Path
from typing import Any, Final

from granian._granian import SocketHolder
from granian.constants import HTTPModes, Interfaces, SSLProtocols
from granian.http import HTTP1Settings, HTTP2Settings
from granian.server.embed import Server

from rynek.base import settings
from rynek.server.listening import BACKLOG, ServeError

# Of one request's head. Over HTTP/1 it bounds the buffer, which may hold twice as much for a moment.
_HEAD_BYTES: Final = 131_072
_STREAMS: Final = 100
_PING_MS: Final = 20_000
_PING_SECONDS: Final = 20
# (descriptor, whether it is a Unix socket, backlog): its stub leaves the parameters out.
_held: Final[Any] = SocketHolder


class CertificateError(ServeError):
    """The certificate or its key cannot be used."""


class Workers(Server):
    """What answers on `sock`. `renew` puts a new worker beside the old one, which takes no more
    connections and ends with its last: so a renewed certificate loses nobody."""

    def __init__(self, sock: socket.socket, server: settings.Server, most: int) -> None:
        """At most `most` connections. CertificateError."""
        certificate, key = server.tls_certificate, server.tls_key
        if certificate:
            check_certificate(certificate, key)
        super().__init__(
            None,
            interface=Interfaces.ASGINL,
            websockets=False,
            log_enabled=False,
            # Whoever speaks to us without TLS is a proxy or a program, and speaks HTTP/1; for
            # browsers over TLS HTTP/2 lifts their bound of six event streams.
            http=HTTPModes.auto if certificate else HTTPModes.http1,
            backlog=BACKLOG,
            backpressure=most,
            http1_settings=HTTP1Settings(
                header_read_timeout=int(server.idle_seconds * 1000), max_buffer_size=_HEAD_BYTES
            ),
            http2_settings=HTTP2Settings(
                keep_alive_interval=_PING_MS,
                keep_alive_timeout=_PING_SECONDS,
                max_concurrent_streams=_STREAMS,
                max_headers_size=_HEAD_BYTES,
            ),
            ssl_cert=Path(certificate) if certificate else None,
            ssl_key=Path(key) if key else None,
            ssl_protocol_min=SSLProtocols.tls12,
        )
        self._app: Any = None
        self._sock = sock
        # granian's workers bring no annotations.
        self._workers: list[Any] = []

    def begin(self, app: Any) -> None:
        """Take connections for an ASGI application."""
        self._app = app
        self._workers = [one for one in self._workers if not one._task.done()]
        # A worker closes the descriptor that it is given.
        self._shd: Any = _held(os.dup(self._sock.fileno()), False, BACKLOG)
        self._workers.append(self._spawn_worker(0, self._spawn_asgi_worker, app))

    def renew(self) -> None:
        """Take new connections with the certificate as it is now; those that are open go on."""
        old = list(self._workers)
        if not old:
            return
        self.begin(self._app)
        for worker in old:
            worker.terminate()

    async def end(self, seconds: float) -> None:
        """Take no more connections; wait for the open ones for so long."""
        for worker in self._workers:
            worker.terminate()
        with contextlib.suppress(TimeoutError, asyncio.CancelledError):
            async with asyncio.timeout(seconds):
                await asyncio.gather(*(worker.join() for worker in self._workers))

    @property
    def working(self) -> bool:
        """Whether the newest worker is at work."""
        return bool(self._workers) and not self._workers[-1]._task.done()

    @property
    def fault(self) -> str:
        """What ended the newest worker, as far as it says."""
        task = self._workers[-1]._task if self._workers else None
        if task is None or not task.done() or task.cancelled() or task.exception() is None:
            return "it gives no reason"
        return f"{type(task.exception()).__name__}: {task.exception()}"


def check_certificate(certificate: str, key: str) -> None:
    """Whether both can be read and belong together; CertificateError when not, OSError when there
    is no descriptor left to read them with."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        # A key with a password would ask for it on a terminal that no service has.
        context.load_cert_chain(certificate, key, password=lambda: "")
    except ssl.SSLError as error:
        raise CertificateError(
            f"{certificate} and {key} are no certificate (PEM, with its chain) and its key"
            f" without a password: {error.reason or error}"
        ) from None
    except OSError as error:
        if error.errno in (errno.EMFILE, errno.ENFILE):
            raise
        raise CertificateError(
            f"server.tls_certificate = {certificate!r}, server.tls_key = {key!r}:"
            f" {error.strerror or error}"
        ) from None
