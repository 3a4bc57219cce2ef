"""Follow the change stream by cursor: nothing is lost, however often this stops and starts."""

import json
import os
import urllib.request

STREAM = os.environ.get("STREAM", "http://127.0.0.1:8026/c/default/developers/changes")
ROUNDS = int(os.environ.get("ROUNDS", "3"))

cursor = 0  # keep it somewhere durable: it says how far you are
for _ in range(ROUNDS):
    url = f"{STREAM}.json?after={cursor}&limit=500&values=true&wait=1"
    with urllib.request.urlopen(url, timeout=60) as answer:
        page = json.load(answer)
    if page["missed"]:
        print("some changes are no longer kept: read everything once, then go on from here")
    for change in page["changes"]:
        print(change["seq"], change["op"], change["id"], ", ".join(change["attributes"]))
    cursor = page["next"]
