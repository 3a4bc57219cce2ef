#!/bin/sh
# Be told when a vehicle is faster than 50 km/h, at most once in 10 seconds. Needs curl.
set -eu
API=${API:-http://127.0.0.1:8026/ngsi-ld/v1}
TENANT=${TENANT:-default}
RECEIVER=${RECEIVER:-https://receiver.example.org/fast}

curl -sf -i "$API/subscriptions" -H "NGSILD-Tenant: $TENANT" \
  -H 'Content-Type: application/json' -d '{
    "type": "Subscription",
    "entities": [{"type": "Vehicle"}],
    "watchedAttributes": ["speed"],
    "q": "speed>50",
    "throttling": 10,
    "notification": {
      "attributes": ["speed", "location"],
      "format": "concise",
      "endpoint": {"uri": "'"$RECEIVER"'", "accept": "application/json"}
    }
  }'
curl -sf "$API/subscriptions" -H "NGSILD-Tenant: $TENANT"
echo
