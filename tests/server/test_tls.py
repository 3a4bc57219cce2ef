"""HTTPS by the service itself, and a certificate that is renewed while people are connected."""

from __future__ import annotations

import shutil
import signal
import ssl
import threading
from pathlib import Path

import httpx
from tests.certificates import make_certificate
from tests.demo.service import Service, until


class SecureService(Service):
    """A service that is asked by HTTPS."""

    def __init__(self, folder: Path, certificate: Path, key: Path) -> None:
        super().__init__(
            "serve",
            folder,
            RYNEK_ACCESS_ANONYMOUS="write",
            RYNEK_SERVER_TLS_CERTIFICATE=str(certificate),
            RYNEK_SERVER_TLS_KEY=str(key),
        )
        self.url = self.url.replace("http:", "https:")
        self.client = httpx.Client(base_url=self.url, timeout=60, verify=False, http2=False)


def test_a_renewed_certificate_is_taken_and_nobody_is_cut_off(tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path)
    other = tmp_path / "other"
    other.mkdir()
    new_certificate, new_key = make_certificate(other)
    service = SecureService(tmp_path / "data", certificate, key)
    assert service.printed() == f"ready {service.url}/\n"
    first = shown(service)
    assert first == ssl.PEM_cert_to_DER_cert(certificate.read_text())
    with service.client.stream("GET", "/developers/changes.events") as stream:
        assert stream.status_code == 200
        failures: list[Exception] = []
        ended = threading.Event()

        def asked_once() -> None:
            url = f"{service.url}/health"
            httpx.get(url, verify=context(), timeout=60).raise_for_status()

        def ask() -> None:
            while not ended.is_set():
                try:
                    try:
                        asked_once()
                    except httpx.RemoteProtocolError:
                        # The old worker took a connection in the moment it ended, and closed it
                        # before any request was read: a client may ask again (RFC 9110 §9.2.2).
                        asked_once()
                except Exception as error:
                    failures.append(error)

        asking = threading.Thread(target=ask)
        asking.start()
        # Half of a pair is not taken; the old certificate goes on.
        shutil.copy(new_certificate, certificate)
        service.process.send_signal(signal.SIGHUP)
        until(lambda: "the certificate in use stays" in service.errors(), "a refusal in the log")
        assert shown(service) == first
        shutil.copy(new_key, key)
        service.process.send_signal(signal.SIGHUP)
        until(lambda: shown(service) != first, "the new certificate")
        assert shown(service) == ssl.PEM_cert_to_DER_cert(new_certificate.read_text())
        ended.set()
        asking.join()
        assert failures == []
        # The stream that was open goes on: what changes now still comes.
        service.client.post(
            "/ngsi-ld/v1/entities",
            json={"id": "urn:ngsi-ld:Bench:1", "type": "Bench", "name": "oak"},
        ).raise_for_status()
        assert any("urn:ngsi-ld:Bench:1" in text for text in stream.iter_text())
    assert service.stop() == 0


def context() -> ssl.SSLContext:
    found = ssl.create_default_context()
    found.check_hostname = False
    found.verify_mode = ssl.CERT_NONE
    return found


def shown(service: Service) -> bytes:
    """The certificate that a new connection is shown."""
    return ssl.PEM_cert_to_DER_cert(ssl.get_server_certificate(("127.0.0.1", service.port)))
