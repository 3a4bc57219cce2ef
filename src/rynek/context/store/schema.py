"""The tables of one tenant's state.db; each step of MIGRATIONS leads to the next version."""

from __future__ import annotations

from typing import Final

_V1: Final = """
-- n is the tenant's own number of an entity: small in every index, and the order of lists.
-- body is the normalized representation under the context ctx, ready to be sent; times holds
-- what body leaves out (createdAt, modifiedAt in epoch microseconds, expiresAt).
CREATE TABLE entity(
  n INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  ctx INTEGER NOT NULL,
  created INTEGER NOT NULL,
  modified INTEGER NOT NULL,
  expires INTEGER,
  body BLOB NOT NULL,
  times BLOB NOT NULL
) STRICT;
CREATE INDEX entity_expires ON entity(expires) WHERE expires IS NOT NULL;

CREATE TABLE term(t INTEGER PRIMARY KEY, iri TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE context(c INTEGER PRIMARY KEY, hash TEXT NOT NULL UNIQUE, document BLOB NOT NULL) STRICT;
CREATE TABLE remote_context(
  url TEXT PRIMARY KEY, body BLOB NOT NULL, fetched INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE entity_type(
  t INTEGER NOT NULL, n INTEGER NOT NULL, PRIMARY KEY(t, n)
) STRICT, WITHOUT ROWID;
-- How many entities of type t have attribute a.
CREATE TABLE type_attr(
  t INTEGER NOT NULL, a INTEGER NOT NULL, entities INTEGER NOT NULL, kinds TEXT NOT NULL,
  PRIMARY KEY(t, a)
) STRICT, WITHOUT ROWID;
CREATE TABLE entity_scope(
  scope TEXT NOT NULL, n INTEGER NOT NULL, PRIMARY KEY(scope, n)
) STRICT, WITHOUT ROWID;

-- p = n << 4 | slot of the GeoProperty; the box is padded, the exact test comes afterwards.
CREATE VIRTUAL TABLE place USING rtree(p, west, east, south, north);
CREATE TABLE place_slot(slot INTEGER PRIMARY KEY, a INTEGER NOT NULL UNIQUE) STRICT;

-- A value index exists for the (type, attribute, path) keys that queries asked for.
CREATE TABLE value_key(
  k INTEGER PRIMARY KEY, t INTEGER NOT NULL, a INTEGER NOT NULL, path TEXT NOT NULL,
  built INTEGER NOT NULL, used INTEGER NOT NULL, UNIQUE(t, a, path)
) STRICT;
CREATE TABLE value_index(
  k INTEGER NOT NULL, v, n INTEGER NOT NULL, PRIMARY KEY(k, v, n)
) WITHOUT ROWID;

CREATE TABLE change(
  seq INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, body BLOB NOT NULL
) STRICT;
CREATE TABLE cursor(name TEXT PRIMARY KEY, seq INTEGER NOT NULL) STRICT, WITHOUT ROWID;
"""

_V2: Final = """
-- What is kept beside the entities, by kind: subscription, registration, hosted @context …
CREATE TABLE document(
  n INTEGER PRIMARY KEY, kind TEXT NOT NULL, id TEXT NOT NULL, body BLOB NOT NULL,
  UNIQUE(kind, id)
) STRICT;
"""

_V3: Final = """
-- Messages to other hosts, written in the commit of the change that they tell of, until a receiver
-- took them; given up where dead is 1. target says for whom (a subscription's key); about are
-- hashes of the entities told of, 4 bytes each (none: of any), whose order is kept; head what goes
-- beside the body, as JSON.
CREATE TABLE outbox(
  n INTEGER PRIMARY KEY AUTOINCREMENT, target TEXT NOT NULL, dead INTEGER NOT NULL,
  at INTEGER NOT NULL, about BLOB NOT NULL, head BLOB NOT NULL, body BLOB NOT NULL
) STRICT;
CREATE INDEX outbox_target ON outbox(target, dead, n);
-- Entities that changed while their subscription's throttling holds notifications back, and how
-- each was before (NULL: not there).
CREATE TABLE held(
  target TEXT NOT NULL, entity TEXT NOT NULL, before BLOB, PRIMARY KEY(target, entity)
) STRICT, WITHOUT ROWID;
-- What came of deliveries, by target.
CREATE TABLE delivery(target TEXT PRIMARY KEY, body BLOB NOT NULL) STRICT, WITHOUT ROWID;
"""

_V4: Final = """
-- expiresAt stands in times now, and expires is the earliest of an entity and all its attributes.
-- What may have one is looked at (and written again) with the first request.
UPDATE entity SET expires = 0 WHERE instr(CAST(body AS TEXT), '"expiresAt"');
"""

_V5: Final = """
-- Value indexes tell arrays and objects apart from numbers now; they are built again when asked for.
DELETE FROM value_index;
DELETE FROM value_key;
"""

_V6: Final = """
-- times may hold a moment for all attributes that it does not list: an older rynek cannot read that.
"""

MIGRATIONS: Final[tuple[str, ...]] = (_V1, _V2, _V3, _V4, _V5, _V6)
