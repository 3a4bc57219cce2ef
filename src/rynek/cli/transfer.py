"""Entities and readings between files and a city: through a running service, or its folder."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import IO, Any, Final, cast

import httpx
import pyarrow as pa
import pyarrow.parquet as pq

from rynek.app import Engine, Tenant
from rynek.base.errors import NonexistentTenant, Problem
from rynek.base.settings import Settings
from rynek.context import operations, parse_entity, render_entity
from rynek.history import Selection

PAGE: Final = 1000
BATCH: Final = 500
MAX_LINE: Final = 16 * 1024 * 1024
_DAY: Final = 86_400_000_000
_SINK_COLUMNS: Final = (
    "entity_id", "type", "attr", "dataset_id", "kind", "number", "text", "json", "lon", "lat",
    "unit_code",
)  # fmt: skip

Progress = Callable[[int], None]
Problems = list[tuple[str, str]]


class TransferError(RuntimeError):
    """Something cannot be brought over; the message says what to do."""


def opened(path: Path, mode: str) -> IO[Any]:
    """A JSON-lines file, compressed where its name ends in .gz."""
    made: Any = gzip.open if path.name.endswith(".gz") else open
    return cast("IO[Any]", made(path, mode + "b"))


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    """One entity a line; TransferError names the line that is none."""
    with opened(path, "r") as stream:
        number = 0
        while line := stream.readline(MAX_LINE + 1):
            number += 1
            if len(line) > MAX_LINE:
                raise TransferError(f"{path}: line {number} is longer than {MAX_LINE} bytes")
            if not line.strip():
                continue
            try:
                document = json.loads(line)
            except ValueError as error:
                raise TransferError(f"{path}: line {number}: {error}") from None
            if not isinstance(document, dict):
                raise TransferError(f"{path}: line {number} is no entity")
            yield document


def batched(documents: Iterator[dict[str, Any]], size: int) -> Iterator[list[dict[str, Any]]]:
    """Lists of up to `size`."""
    while batch := list(islice(documents, size)):
        yield batch


class Folder:
    """A city in a data folder that no service is running on (FolderError otherwise)."""

    def __init__(self, settings: Settings, tenant: str | None, *, create: bool = True) -> None:
        self._engine = Engine(settings)
        self._name = tenant or settings.tenants.default
        self._create = create

    async def __aenter__(self) -> Tenant:
        self._engine.open()
        if not self._create and self._name not in self._engine.tenants:
            names = ", ".join(sorted(self._engine.tenants)) or "none"
            await self._engine.stop()
            raise NonexistentTenant(f"there is no city {self._name!r} here; there are {names}")
        tenant = self._engine.tenants.get(self._name) or self._engine.tenant(
            self._name, create=True
        )
        await tenant.follow()
        await tenant.history.ready()
        return tenant

    async def __aexit__(self, *error: object) -> None:
        await self._engine.stop()


async def export_entities(tenant: Tenant, out: IO[Any], progress: Progress) -> int:
    """Every entity as one line of normalized NGSI-LD; how many."""
    ld = await tenant.context.default_ld()
    count, after = 0, 0
    while rows := tenant.context.scan(after, PAGE):
        for _, entity in rows:
            out.write(json.dumps(render_entity(entity, ld), ensure_ascii=False).encode() + b"\n")
        count += len(rows)
        after = rows[-1][0]
        progress(len(rows))
    return count


async def import_entities(tenant: Tenant, path: Path, progress: Progress) -> tuple[int, Problems]:
    """Create or replace the entities of a file; how many, and those that were refused."""
    done, refused = 0, Problems()
    for documents in batched(read_lines(path), BATCH):
        result = operations.BatchResult()
        items = []
        for document in documents:
            try:
                ld = await tenant.context.resolver.resolve(document.get("@context"))
                entity = parse_entity(document, ld, now=tenant.clock.now(), lenient=True)
                items.append(operations.Item(entity, ld))
            except Problem as problem:
                refused.append((str(document.get("id", "?")), problem.detail))
        await tenant.context.write(
            lambda txn, i=items, r=result: operations.upsert_all(txn, i, r, replace=True)  # type: ignore[misc]
        )
        refused += [(entity_id, problem.detail) for entity_id, problem in result.errors]
        done += len(result.success)
        progress(len(documents))
    return done, refused


async def export_readings(tenant: Tenant, path: Path, progress: Progress) -> int:
    """Every reading of the history as Parquet, sorted within each day; how many.

    Of an empty history, a table without rows.
    """
    count = 0
    writer: pq.ParquetWriter | None = None
    try:
        async for table in _days(tenant):
            if writer is None:
                writer = pq.ParquetWriter(path, table.schema, compression="zstd")
            writer.write_table(table.cast(writer.schema))
            count += len(table)
            progress(len(table))
    finally:
        if writer is not None:
            writer.close()
    return count


async def _days(tenant: Tenant) -> AsyncIterator[pa.Table]:
    """The readings day by day, so that memory holds one day at most."""
    await tenant.history.flush()
    days = tenant.history.days()
    if not days:
        yield await tenant.history.rows(Selection(start=0, end=0))
    for day in days:
        select = Selection(start=day * _DAY, end=(day + 1) * _DAY)
        yield await tenant.history.rows(select)


async def import_readings(tenant: Tenant, path: Path, progress: Progress) -> int:
    """Readings of a Parquet file into the history, once per file content; how many are new.

    The live picture sees the newest value of each attribute.
    """
    with path.open("rb") as stream:
        key = "import:" + hashlib.file_digest(stream, "sha256").hexdigest()[:32]
    ld = await tenant.context.default_ld()
    told = 0

    def tell(rows: int) -> None:
        nonlocal told
        progress(rows - told)
        told = rows

    try:
        written = await tenant.history.sink.append(key, _batches(path), ld.attribute, tell)
    except (ValueError, pa.ArrowInvalid) as error:
        raise TransferError(f"{path}: {error}") from None
    documents = tenant.history.sink.newest(key)
    for batch in batched(iter(documents), BATCH):
        await tenant.context.ingest(batch, "import")
    return written.rows


def _batches(path: Path) -> Iterator[pa.RecordBatch]:
    file = pq.ParquetFile(path)
    names = set(file.schema_arrow.names)
    moment = next((name for name in ("observed_at", "time") if name in names), None)
    missing = [name for name in ("entity_id", "type", "attr", "kind") if name not in names]
    if missing or moment is None:
        raise ValueError(f"it lacks the column {missing[0] if missing else 'observed_at'!r}")
    columns = [name for name in _SINK_COLUMNS if name in names]
    for batch in file.iter_batches(65_536, columns=[*columns, moment]):
        arrays = [batch.column(name) for name in [*columns, moment]]
        yield pa.RecordBatch.from_arrays(arrays, names=[*columns, "observed_at"])


class Remote:
    """A city behind a running service's NGSI-LD API."""

    def __init__(self, server: str, token: str | None, tenant: str | None) -> None:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        if tenant:
            headers["NGSILD-Tenant"] = tenant
        base = server.rstrip("/") + "/ngsi-ld/v1"
        self._client = httpx.Client(base_url=base, headers=headers, timeout=60)

    def export(self, out: IO[Any], progress: Progress) -> int:
        """Every entity, type by type; one with several types once."""
        seen: set[str] = set()
        for kind in self._get("/types")["typeList"]:
            offset = 0
            while rows := self._get("/entities", type=kind, limit=str(PAGE), offset=str(offset)):
                for entity in rows:
                    if entity["id"] not in seen:
                        seen.add(entity["id"])
                        out.write(json.dumps(entity, ensure_ascii=False).encode() + b"\n")
                offset += len(rows)
                progress(len(rows))
        return len(seen)

    def load(self, path: Path, progress: Progress) -> tuple[int, Problems]:
        """Create or replace the entities of a file; how many, and those that were refused."""
        done, refused = 0, Problems()
        for documents in batched(read_lines(path), BATCH):
            linked = any("@context" in document for document in documents)
            media = "application/ld+json" if linked else "application/json"
            core = "https://uri.etsi.org/ngsi-ld/v1/ngsi-ld-core-context.jsonld"
            if linked:
                documents = [{"@context": core} | document for document in documents]
            answer = self._client.post(
                "/entityOperations/upsert",
                content=json.dumps(documents).encode(),
                headers={"Content-Type": media},
            )
            errors = self._errors(answer)
            refused += errors
            done += len(documents) - len(errors)
            progress(len(documents))
        return done, refused

    def _errors(self, answer: httpx.Response) -> Problems:
        if answer.status_code == 207:
            return [
                (str(one.get("entityId", "?")), str(one.get("error", {}).get("detail", "")))
                for one in answer.json().get("errors", [])
            ]
        self._check(answer)
        return []

    def _get(self, path: str, **query: str) -> Any:
        answer = self._client.get(path, params=query)
        self._check(answer)
        return answer.json()

    def _check(self, answer: httpx.Response) -> None:
        if answer.is_success:
            return
        hint = ": give --token (rynek token create)" if answer.status_code in (401, 403) else ""
        try:
            body = answer.json()
            why = f"{body.get('title', '')}: {body.get('detail', '')}"
        except ValueError:
            why = answer.reason_phrase
        raise TransferError(f"the service answered {answer.status_code}: {why}{hint}")


__all__: Sequence[str] = [
    "Folder",
    "Remote",
    "TransferError",
    "export_entities",
    "export_readings",
    "import_entities",
    "import_readings",
    "opened",
]
