#!/bin/sh
# Read the change stream: the newest ten, then what came after them. Needs curl.
set -eu
STREAM=${STREAM:-http://127.0.0.1:8026/c/default/developers/changes}

curl -sf "$STREAM.json?limit=10"
echo
# As JSON lines, from the start, with the values that were written:
curl -sf "$STREAM.json?after=0&limit=100&values=true" -H 'Accept: application/x-ndjson'
# Live, as server-sent events (ends after 2 seconds here; leave -m away to stay):
curl -sN -m 2 "$STREAM.events?after=0" || true
