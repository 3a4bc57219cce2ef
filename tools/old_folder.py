#!/usr/bin/env python3
"""Makes a data folder as an earlier commit wrote it, for tests/upgrade.

    tools/old_folder.py COMMIT NAME

serves a new folder with that commit's code, writes to it, notes what it answers, ends it (with
SIGKILL where --kill is given) and packs both into tests/upgrade/folders/NAME.tar.xz. To be run
once for every change of format, before it is merged.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import tarfile
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import quote

ROOT = Path(__file__).parents[1]
API = "/ngsi-ld/v1"
CORE = "https://uri.etsi.org/ngsi-ld/v1/ngsi-ld-core-context.jsonld"
CITY = 'name = "Alphaville"\ncountry = "PL"\nzone = "Europe/Warsaw"\ncentre = [21.0, 52.2]\n'
FEED = 'kind = "positions"\nsource = "webhook:"\nzone = "Europe/Warsaw"\n'
NOWHERE = "http://127.0.0.1:9/notify"


def main() -> None:
    """Make one folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("commit")
    parser.add_argument("name")
    parser.add_argument("--kill", action="store_true")
    given = parser.parse_args()
    target = ROOT / "tests" / "upgrade" / "folders" / f"{given.name}.tar.xz"
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as room:
        code = Path(room) / "code"
        subprocess.run(
            ["git", "-C", ROOT, "worktree", "add", "--detach", code, given.commit],
            check=True,
            capture_output=True,
        )
        try:
            _make(code, Path(room), given.commit, kill=given.kill)
        finally:
            subprocess.run(["git", "-C", ROOT, "worktree", "remove", "--force", code], check=True)
        with tarfile.open(target, "w:xz", preset=9) as archive:
            for name in ("data", "expected.json", "backup.tar"):
                archive.add(Path(room) / name, name)
    print(f"{target}: {target.stat().st_size} bytes")


class Old:
    """The service of the earlier commit."""

    def __init__(self, code: Path, data: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self._env = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(code / "src"),
            "RYNEK_ACCESS_ANONYMOUS": "write",
            "RYNEK_NETWORK_ALLOW_PRIVATE": "true",
        }
        self._data = data
        self.process = subprocess.Popen(
            [sys.executable, "-m", "rynek", "serve", "--data", data, "--port", str(self.port)],
            env=self._env,
            stdout=subprocess.PIPE,
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline().startswith(b"ready")

    def run(self, *arguments: str) -> str:
        """Run `rynek …` on the folder; what it prints."""
        command = [sys.executable, "-m", "rynek", *arguments, "--data", str(self._data)]
        return subprocess.run(
            command, env=self._env, check=True, capture_output=True, text=True
        ).stdout

    def ask(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> tuple[int, bytes]:
        """Status and body of one request."""
        data = json.dumps(body).encode() if body is not None else None
        kind = "application/ld+json" if b'"@context"' in (data or b"") else "application/json"
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}",
            data,
            {"Content-Type": kind, **(headers or {})},
            method=method,
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()


def _make(code: Path, room: Path, commit: str, *, kill: bool) -> None:
    data = room / "data"
    feeds = data / "tenants" / "default" / "feeds"
    feeds.mkdir(parents=True)
    (feeds.parent / "city.toml").write_text(CITY)
    (feeds / "posted.toml").write_text(FEED)
    old = Old(code, data)
    took = _write(old)
    time.sleep(12)  # for history to be committed to its table
    took |= _write_more(old)
    secret = old.run("token", "create", "office", "--scope", "write").split()
    token = next(word for word in secret if word.startswith("rynek_"))
    old.run("token", "create", "kiosk", "--scope", "read:second")
    answers = []
    for path, headers in _questions(took):
        status, body = old.ask("GET", path, headers=headers)
        answers.append({"path": path, "headers": headers, "status": status, "body": body.decode()})
    old.run("backup", str(room / "backup.tar"))
    old.process.send_signal(signal.SIGKILL if kill else signal.SIGTERM)
    old.process.wait()
    (data / "lock").unlink(missing_ok=True)
    expected = {"commit": commit, "token": token, "took": took, "answers": answers}
    (room / "expected.json").write_text(json.dumps(expected, indent=1))


def _entities() -> list[dict[str, Any]]:
    return [
        {
            "id": f"urn:ngsi-ld:BikeHireDockingStation:alpha:{number}",
            "type": "BikeHireDockingStation",
            "name": {"type": "Property", "value": f"Plac Wolności {number}"},
            "availableBikeNumber": {
                "type": "Property",
                "value": number % 7,
                "observedAt": f"2026-03-01T08:{number:02}:00Z",
            },
            "temperature": [
                {
                    "type": "Property",
                    "value": 4.5 + number,
                    "unitCode": "CEL",
                    "datasetId": "urn:a",
                },
                {"type": "Property", "value": 5.5, "unitCode": "CEL"},
            ],
            "location": {
                "type": "GeoProperty",
                "value": {"type": "Point", "coordinates": [21.0 + number / 500, 52.2]},
            },
            "refRoad": {"type": "Relationship", "object": f"urn:ngsi-ld:Road:{number % 3}"},
            "label": {"type": "LanguageProperty", "languageMap": {"pl": "stacja", "en": "station"}},
        }
        for number in range(30)
    ]


def _write(old: Old) -> dict[str, int]:
    """The first writes: which of them this commit took, by name."""
    took = {}

    def tell(name: str, method: str, path: str, body: Any, **headers: str) -> None:
        took[name] = old.ask(method, API + path, body, headers)[0]

    batch = _entities()
    tell("create", "POST", "/entityOperations/create", batch)
    tell(
        "second", "POST", "/entities", {"@context": CORE, **batch[0]}, **{"NGSILD-Tenant": "second"}
    )
    own = {"@context": [{"depth": "https://example.org/depth"}, CORE]}
    lake = {"id": "urn:ngsi-ld:Lake:1", "type": "Lake", "depth": {"type": "Property", "value": 12}}
    tell("context", "POST", "/entities", {**lake, **own})
    tell("hosted", "POST", "/jsonldContexts", own)
    tell("delete", "DELETE", f"/entities/{batch[29]['id']}", None)
    watched = {
        "id": "urn:ngsi-ld:Subscription:1",
        "type": "Subscription",
        "entities": [{"type": "BikeHireDockingStation"}],
        "watchedAttributes": ["availableBikeNumber"],
        "notification": {"endpoint": {"uri": NOWHERE, "accept": "application/json"}},
    }
    tell("subscription", "POST", "/subscriptions", watched)
    registered = {
        "id": "urn:ngsi-ld:ContextSourceRegistration:1",
        "type": "ContextSourceRegistration",
        "information": [{"entities": [{"type": "WeatherObserved"}]}],
        "endpoint": "http://127.0.0.1:9",
    }
    tell("registration", "POST", "/csourceRegistrations", registered)
    for value in (3, 4, 4, 9):
        part = {"type": "Property", "value": value, "observedAt": f"2026-03-01T09:0{value}:00Z"}
        tell("patch", "PATCH", f"/entities/{batch[0]['id']}/attrs", {"availableBikeNumber": part})
    return took


def _write_more(old: Old) -> dict[str, int]:
    """Writes that the history's table does not hold yet when the service ends."""
    took = {}
    station = _entities()[1]["id"]
    part = {"type": "Property", "value": 77, "observedAt": "2026-03-01T10:00:00Z"}
    body = {"availableBikeNumber": part}
    took["late"] = old.ask("PATCH", f"{API}/entities/{station}/attrs", body)[0]
    past = {"type": "Property", "value": 1.5, "observedAt": "2026-02-01T00:00:00Z"}
    added = {"id": station, "type": "BikeHireDockingStation", "availableBikeNumber": [past]}
    took["temporal"] = old.ask("POST", f"{API}/temporal/entities", added)[0]
    end = {
        "id": "urn:ngsi-ld:Bench:1",
        "type": "Bench",
        "expiresAt": "2126-01-01T00:00:00Z",
        "name": {"type": "Property", "value": "oak", "expiresAt": "2125-01-01T00:00:00Z"},
    }
    took["expires"] = old.ask("POST", f"{API}/entities", end)[0]
    return took


def _questions(took: dict[str, int]) -> list[tuple[str, dict[str, str]]]:
    kind = "type=BikeHireDockingStation"
    first = quote("urn:ngsi-ld:BikeHireDockingStation:alpha:0", safe=":")
    second = quote("urn:ngsi-ld:BikeHireDockingStation:alpha:1", safe=":")
    since = "timerel=after&timeAt=2020-01-01T00:00:00Z&timeproperty=observedAt"
    near = "georel=near;maxDistance==2000&geometry=Point&coordinates=[21.0,52.2]"
    paths = [
        f"/entities?{kind}&limit=100",
        f"/entities?{kind}&limit=10&offset=5&options=sysAttrs",
        f"/entities?{kind}&limit=100&q=availableBikeNumber>4",
        f"/entities?{kind}&limit=100&q=availableBikeNumber==4;name~=1",
        f"/entities?{kind}&limit=100&{near}",
        f"/entities?{kind}&limit=100&options=keyValues",
        f"/entities/{first}",
        f"/entities/{first}?options=sysAttrs",
        "/entities/urn:ngsi-ld:BikeHireDockingStation:alpha:29",
        "/entities/urn:ngsi-ld:Lake:1",
        "/types",
        "/attributes",
        f"/temporal/entities/{first}?{since}",
        f"/temporal/entities/{second}?{since}&options=temporalValues",
        f"/temporal/entities?{kind}&{since}&attrs=availableBikeNumber",
    ]
    if took.get("subscription") == 201:
        paths.append("/subscriptions/urn:ngsi-ld:Subscription:1")
    if took.get("registration") == 201:
        paths.append("/csourceRegistrations/urn:ngsi-ld:ContextSourceRegistration:1")
    if took.get("hosted") == 201:
        paths.append("/jsonldContexts?kind=Hosted")
    if took.get("expires") == 201:
        paths.append("/entities/urn:ngsi-ld:Bench:1?options=sysAttrs")
    asked = [(API + quote(path, safe="/?&=:;~.,-"), {}) for path in paths]
    asked.append((f"{API}/entities/{first}", {"NGSILD-Tenant": "second"}))
    return asked


if __name__ == "__main__":
    main()
