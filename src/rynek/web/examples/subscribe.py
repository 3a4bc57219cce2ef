"""Receive notifications: a small server that is told of each fast vehicle."""

import json
import os
import urllib.request
from http.server import BaseHTTPRequestHandler, HTTPServer

API = os.environ.get("API", "http://127.0.0.1:8026/ngsi-ld/v1")
TENANT = os.environ.get("TENANT", "default")
seen: set[str] = set()  # a notification may come twice: its id says so


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(204)
        self.end_headers()
        if body["id"] not in seen:
            seen.add(body["id"])
            for entity in body["data"]:
                print("told:", entity["id"], entity["speed"]["value"], flush=True)

    def log_message(self, *_: object) -> None:
        """Say nothing of each request."""


def post(path: str, body: object) -> None:
    headers = {"Content-Type": "application/json", "NGSILD-Tenant": TENANT}
    data = json.dumps(body).encode()
    urllib.request.urlopen(urllib.request.Request(API + path, data, headers), timeout=30)


server = HTTPServer(("127.0.0.1", 0), Receiver)
post(
    "/subscriptions",
    {
        "type": "Subscription",
        "entities": [{"type": "Vehicle"}],
        "q": "speed>50",
        "notification": {"endpoint": {"uri": f"http://127.0.0.1:{server.server_port}/"}},
    },
)
fast = {"id": "urn:ngsi-ld:Vehicle:bus-8", "type": "Vehicle", "speed": {"value": 62}}
post("/entityOperations/upsert", [fast])
while not seen:
    server.handle_request()
