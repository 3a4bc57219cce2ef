"""Subscribe to fast buses, change one, and see what the receiver is told."""

from __future__ import annotations

import http.server
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
import urllib.request
from typing import Any

told: queue.Queue[Any] = queue.Queue()


class Receiver(http.server.BaseHTTPRequestHandler):
    """Takes notifications: any answer of 200 to 299 says that one has arrived."""

    def do_POST(self) -> None:
        """One notification; a repeat has the id that it had before."""
        told.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def call(method: str, url: str, body: object) -> None:
    """One request with a JSON body."""
    request = urllib.request.Request(
        url,
        method=method,
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    urllib.request.urlopen(request, timeout=30).close()


def main() -> None:
    """Serve a new folder that anyone may write to and that may notify this machine."""
    receiver = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=receiver.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory() as folder:
        opened = {"RYNEK_ACCESS_ANONYMOUS": "write", "RYNEK_NETWORK_ALLOW_PRIVATE": "true"}
        server = subprocess.Popen(
            [sys.executable, "-m", "rynek", "serve", "--data", folder, "--port", "0"],
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | opened,
        )
        try:
            assert server.stdout is not None
            address = server.stdout.readline().split()[-1].rstrip("/")  # ready http://127.0.0.1:…/
            run(f"{address}/ngsi-ld/v1", receiver.server_port)
        finally:
            server.terminate()
            server.wait(timeout=10)
            receiver.shutdown()


def run(api: str, receiver: int) -> None:
    """Subscribe, then make two changes of which one matters."""
    call(
        "POST",
        f"{api}/subscriptions",
        {
            "type": "Subscription",
            "entities": [{"type": "Vehicle"}],
            "watchedAttributes": ["speed"],
            "q": "speed>50",
            "notification": {
                "format": "concise",
                "showChanges": True,
                "endpoint": {"uri": f"http://127.0.0.1:{receiver}/"},
            },
        },
    )
    bus = {"id": "urn:ngsi-ld:Vehicle:bus-6", "type": "Vehicle", "speed": 31}
    call("POST", f"{api}/entities", bus)
    call("PATCH", f"{api}/entities/{bus['id']}/attrs", {"speed": {"value": 57}})
    notification = told.get(timeout=10)
    print(json.dumps(notification, indent=2))
    assert notification["data"][0]["speed"] == {"value": 57, "previousValue": 31}
    assert told.empty()


if __name__ == "__main__":
    main()
