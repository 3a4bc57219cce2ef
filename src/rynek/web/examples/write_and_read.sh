#!/bin/sh
# Write an entity, change it, ask for what is fast. Needs curl.
set -eu
API=${API:-http://127.0.0.1:8026/ngsi-ld/v1}
TENANT=${TENANT:-default}

curl -sf "$API/entityOperations/upsert" -H "NGSILD-Tenant: $TENANT" \
  -H 'Content-Type: application/json' -d '[{
    "id": "urn:ngsi-ld:Vehicle:bus-6",
    "type": "Vehicle",
    "speed": {"value": 31, "unitCode": "KMH", "observedAt": "2026-11-22T10:00:00Z"},
    "location": {"value": {"type": "Point", "coordinates": [16.93, 52.41]}}
  }]'
curl -sf -X PATCH "$API/entities/urn:ngsi-ld:Vehicle:bus-6/attrs/speed" \
  -H "NGSILD-Tenant: $TENANT" -H 'Content-Type: application/json' \
  -d '{"value": 24, "observedAt": "2026-11-22T10:00:20Z"}'
curl -sf -G "$API/entities" -H "NGSILD-Tenant: $TENANT" \
  -d type=Vehicle --data-urlencode 'q=speed>20' -d format=simplified
echo
