"""Renewed certificates: noticed by their files, or told by SIGHUP, and used from then on."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Final

from rynek.base import settings
from rynek.server.notify import Supervisor
from rynek.server.plain import Plain
from rynek.server.workers import CertificateError, Workers, check_certificate

_logger = logging.getLogger(__name__)
_LOOK_EVERY: Final = 10


class Certificate:
    """The certificate of a server; without one nothing here does anything but answer SIGHUP."""

    def __init__(
        self, server: settings.Server, workers: Workers | Plain, system: Supervisor
    ) -> None:
        self.workers = workers
        self._files = (server.tls_certificate, server.tls_key)
        self._system = system
        self._looks = 0
        self._seen = self._stamp()

    def look(self) -> None:
        """Every tenth time: are these other files than those in use? Then use them, when they fit
        together; until then (one of them may not be written yet) the old ones serve."""
        self._looks += 1
        if self._looks % _LOOK_EVERY == 0 and self._files[0] and self._stamp() != self._seen:
            self.renew()

    def renew(self) -> None:
        """Use the files as they are now; when they are wrong the log says so, and nothing changes."""
        if not self._files[0]:
            return
        stamp = self._stamp()
        try:
            check_certificate(*self._files)
            self.workers.renew()
        except CertificateError as error:
            _logger.error("the certificate in use stays: %s", error)  # noqa: TRY400
        except OSError as error:
            # Not the certificate's fault: it is tried again.
            _logger.error("the certificate in use stays for now: %s", error)  # noqa: TRY400
            return
        else:
            _logger.info("the certificate %s was read again", self._files[0])
        self._seen = stamp

    def reload(self) -> None:
        """What SIGHUP asks for (`systemctl reload`)."""
        self._system.reloading()
        self.renew()
        self._system.ready()

    def _stamp(self) -> tuple[tuple[int, int, int], ...]:
        return tuple(_stamp(Path(name)) for name in self._files if name)


def _stamp(path: Path) -> tuple[int, int, int]:
    """What changes with a file: when it was written, how long it is, which one it is."""
    try:
        stat = path.stat()
    except OSError:
        return (0, 0, 0)
    return (stat.st_mtime_ns, stat.st_size, stat.st_ino)
