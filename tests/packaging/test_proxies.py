"""rynek under a base path behind real proxies, by the configurations that packaging/ shows."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest
from tests.certificates import make_certificate
from tests.demo.service import Service, free_port, until

ROOT = Path(__file__).parents[2]
API = "/data/ngsi-ld/v1"
PAGES = ["/data/", "/data/entities", "/data/feeds", "/data/developers", "/data/about"]


class Behind(NamedTuple):
    """A service, and a client of the proxy in front of it."""

    service: Service
    client: httpx.Client
    url: str


class Proxy(NamedTuple):
    """A proxy that runs, and the certificate that its clients trust."""

    process: subprocess.Popen[bytes]
    trusted: Path


def program(name: str) -> str:
    """The proxy's program; without one the test is skipped."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
    return found or pytest.skip(f"no {name} (apt install {name})")


@pytest.fixture(scope="module", params=["nginx", "caddy"])
def behind(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Behind]:
    """A proxy with HTTPS on a free port, rynek behind it."""
    found = program(request.param)
    room = tmp_path_factory.mktemp("proxy")
    port = free_port()
    url = f"https://localhost:{port}"
    tenant = room / "data" / "tenants" / "default"
    tenant.mkdir(parents=True)
    (tenant / "city.toml").write_text('name = "Alphaville"\ncentre = [21.0, 52.2]\n')
    service = Service(
        "serve",
        room / "data",
        RYNEK_ACCESS_ANONYMOUS="write",
        RYNEK_SERVER_BASE_PATH="/data",
        RYNEK_SERVER_PUBLIC_URL=f"{url}/data",
        RYNEK_SERVER_TRUSTED_PROXIES="127.0.0.1",
    )
    start = nginx if request.param == "nginx" else caddy
    proxy = start(found, room, service.port, port)
    trusting = ssl.create_default_context(cafile=str(proxy.trusted))
    with httpx.Client(base_url=url, verify=trusting, timeout=60) as client:
        yield Behind(service, client, url)
    proxy.process.terminate()
    proxy.process.wait()
    service.kill()


def started(command: list[str], port: int, room: Path, **env: str) -> subprocess.Popen[bytes]:
    """A proxy's process, once it listens."""
    errors = room / "proxy.log"
    with errors.open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=os.environ | env)
    until(lambda: listens(port) or process.poll() is not None, command[0])
    assert process.poll() is None, errors.read_text()
    return process


def edited(name: str, changes: dict[str, str]) -> str:
    """A file of packaging/ with these patterns changed; each has to be in it."""
    text = (ROOT / "packaging" / name).read_text()
    for was, now in changes.items():
        text, changed = re.subn(was, now, text)
        assert changed, was
    return text


def nginx(found: str, room: Path, upstream: int, port: int) -> Proxy:
    """packaging/nginx.conf with these ports and files, for an nginx that needs no rights."""
    certificate, key = make_certificate(room)
    text = edited(
        "nginx.conf",
        {
            r"127\.0\.0\.1:8026;": f"127.0.0.1:{upstream};",
            r"listen 443": f"listen 127.0.0.1:{port}",
            r".*listen \[::\].*\n": "",
            r"ssl_certificate .*;": f"ssl_certificate {certificate};",
            r"ssl_certificate_key .*;": f"ssl_certificate_key {key};",
            r"server_name .*;": "server_name localhost;",
        },
    )
    paths = "".join(
        f"{kind}_temp_path {room / kind};\n"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    user = "user root;" if os.geteuid() == 0 else ""
    config = room / "nginx.conf"
    config.write_text(
        f"daemon off;\nworker_processes 1;\n{user}\npid {room / 'pid'};\n"
        f"events {{ worker_connections 512; }}\nhttp {{\naccess_log off;\n{paths}{text}}}\n"
    )
    command = [found, "-p", str(room), "-c", str(config), "-e", str(room / "error.log")]
    return Proxy(started(command, port, room), certificate)


def caddy(found: str, room: Path, upstream: int, port: int) -> Proxy:
    """packaging/Caddyfile with these ports, its certificate by Caddy's own authority."""
    own = "admin off\n\tskip_install_trust\n\tauto_https disable_redirects\n\tservers {"
    text = edited(
        "Caddyfile",
        {
            r"127\.0\.0\.1:8026": f"127.0.0.1:{upstream}",
            r"servers \{": own,
            r"\ncity\.example \{": f"\nhttps://localhost:{port} {{\n\tbind 127.0.0.1\n\ttls internal",
        },
    )
    config = room / "Caddyfile"
    config.write_text(text)
    command = [found, "run", "--adapter", "caddyfile", "--config", str(config)]
    home = {"HOME": str(room), "XDG_DATA_HOME": str(room), "XDG_CONFIG_HOME": str(room)}
    process = started(command, port, room, **home)
    root = room / "caddy" / "pki" / "authorities" / "local" / "root.crt"
    until(lambda: serves(port, root), "Caddy's certificate")
    return Proxy(process, root)


def serves(port: int, trusted: Path) -> bool:
    """Whether a proxy has its certificate by now."""
    try:
        trusting = ssl.create_default_context(cafile=str(trusted))
        httpx.get(f"https://localhost:{port}/", verify=trusting, timeout=60)
    except (OSError, httpx.TransportError):
        return False
    return True


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def bench(number: int) -> dict[str, object]:
    return {
        "id": f"urn:ngsi-ld:Bench:{number}",
        "type": "Bench",
        "name": {"type": "Property", "value": f"oak {number}"},
    }


def test_every_page_and_all_that_it_names_is_below_the_base_path(behind: Behind) -> None:
    behind.client.post(f"{API}/entities", json=bench(0))
    seen: set[str] = set()
    left = list(PAGES)
    while left and len(seen) < 40:
        path = left.pop(0)
        if path in seen:
            continue
        seen.add(path)
        with behind.client.stream("GET", path, follow_redirects=True) as answer:
            assert answer.status_code == 200, path
            if not answer.headers["content-type"].startswith("text/html"):
                continue  # a stream of events would never end
            text = answer.read().decode()
        for name in re.findall(r'(?:href|src|action|data-[a-z-]+)="(/[^"#]*)', text):
            assert name.startswith("/data"), f"{path} names {name}"
            if "?" not in name:
                left.append(name)
    assert len(seen) > 10


def test_the_page_for_developers_shows_the_address_of_the_proxy(behind: Behind) -> None:
    assert f"{behind.url}{API}" in behind.client.get("/data/developers").text


def test_the_api_answers_with_addresses_below_the_base_path(behind: Behind) -> None:
    client = behind.client
    made = client.post(f"{API}/entities", json=bench(1))
    assert (made.status_code, made.headers["location"]) == (201, f"{API}/entities/{bench(1)['id']}")
    assert client.get(made.headers["location"]).json()["name"]["value"] == "oak 1"
    for number in range(2, 5):
        client.post(f"{API}/entities", json=bench(number)).raise_for_status()
    first = client.get(f"{API}/entities", params={"type": "Bench", "limit": 2})
    following = httpx.URL(first.links["next"]["url"])
    assert following.path == f"{API}/entities"
    assert len(client.get(str(following)).json()) == 2
    hosted = client.post(f"{API}/jsonldContexts", json={"@context": {"depth": "https://e.org/d"}})
    assert hosted.headers["location"].startswith(f"{API}/jsonldContexts/")
    assert client.get(hosted.headers["location"]).status_code == 200
    listed = client.get(f"{API}/jsonldContexts", params={"kind": "Hosted"}).json()
    assert [url for url in listed if url.startswith(f"{behind.url}{API}/jsonldContexts/")]
    described = client.get(f"{API}/openapi.json").json()
    assert described["servers"] == [{"url": API}]


def test_events_come_at_once(behind: Behind) -> None:
    with behind.client.stream("GET", "/data/developers/changes.events") as stream:
        assert stream.status_code == 200
        behind.client.post(f"{API}/entities", json=bench(50)).raise_for_status()
        # The stream goes on: what was not held back by a buffer is here before its end.
        assert any("urn:ngsi-ld:Bench:50" in text for text in stream.iter_text())


def test_a_form_of_our_own_page_is_ours_and_one_of_another_site_is_not(behind: Behind) -> None:
    path = "/data/c/default/feeds/none/deliver"
    own = behind.client.post(path, content=b"x", headers={"Origin": behind.url})
    assert own.status_code == 404
    other = behind.client.post(path, content=b"x", headers={"Origin": "https://evil.example"})
    assert other.status_code == 403


def test_who_is_no_proxy_is_not_believed(behind: Behind) -> None:
    """The proxy sets what it tells, and does not pass on what its client claims."""
    claimed = {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "http"}
    text = behind.client.get("/data/developers", headers=claimed).text
    assert "evil.example" not in text
    assert f"{behind.url}{API}" in text


def test_what_is_too_large_is_refused_before_all_of_it_is_sent(behind: Behind) -> None:
    head = f"POST {API}/entities HTTP/1.1\r\nHost: localhost\r\nContent-Length: 60000000\r\n\r\n"
    trusting = ssl.create_default_context()
    trusting.check_hostname = False
    trusting.verify_mode = ssl.CERT_NONE
    address = ("localhost", behind.client.base_url.port)
    with (
        socket.create_connection(address, 60) as plain,
        trusting.wrap_socket(plain, server_hostname="localhost") as sock,
    ):
        sock.sendall(head.encode())
        assert answered(sock) == b"HTTP/1.1 413"


def answered(sock: ssl.SSLSocket) -> bytes:
    """The first bytes of an answer. Caddy has none for a client that pauses within a body."""
    for _ in range(900):
        with contextlib.suppress(TimeoutError):
            sock.settimeout(0.05)
            return sock.recv(12)
        sock.settimeout(60)
        sock.sendall(bytes(1 << 16))
    raise AssertionError("all of it was taken")
