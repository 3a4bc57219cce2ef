"""The registrations of one tenant: in memory, kept durably, found by what could match."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar
from uuid import uuid4

import msgspec

from rynek.base.errors import AlreadyExists, Forbidden, ResourceNotFound
from rynek.base.typed import decoder
from rynek.context.jsonld import CompiledContext
from rynek.context.live import Context
from rynek.context.registrations import conflicts
from rynek.context.registrations.health import Counters, SourceHealth
from rynek.context.registrations.match import (
    Match,
    RegistrationIndex,
    RegistrationSpec,
)
from rynek.context.registrations.model import Registration
from rynek.context.registrations.parse import parse_registration, patched_registration
from rynek.context.registrations.watched import SourceSelector
from rynek.context.store.contract import Txn

__all__ = ["Registrations"]

KIND: Final = "registration"
COUNTERS_KIND: Final = "registrationCounters"
MAX_REGISTRATIONS: Final = 100_000
_FLUSH_SECONDS: Final = 5.0
_logger = logging.getLogger(__name__)
_encode: Final = msgspec.json.Encoder().encode
_decode: Final = decoder(Registration).decode
_decode_counters: Final = decoder(Counters).decode
T = TypeVar("T")
Watcher = Callable[[Txn, Registration | None, Registration | None], None]


class Registrations:
    """What distributed operations, discovery and pages need of a tenant's registrations.

    Reading never waits:
      `empty` — whether there are none at all (a plain flag for hot paths);
      `matching(spec, operation=…)` — who takes part in a request, in the order of registration:
          for each a `Match` with `.registration` (`.endpoint`, `.mode`, `.proxied`, `.tenant`,
          `.context_source_info`, `.info_value("accept")`, `.alias`, `.scopes`, `.dataset_ids`,
          `.management.local_only | timeout_ms | cooldown_ms | cache_seconds`,
          `.supports("queryEntity")`) and `.parts`, each with the `entities` (EntityInfo, None for
          any) and `attrs` (IRIs, None for all that were asked for) that the source may have;
      `find`, `all` — by id, every one.
    Times of registrations are the machine's, whatever clock the tenant's entities have.
    Writing returns after the durable commit: `create`, `update`, `delete`.
    What became of a request is told by `note_success` and `note_failure`; the counters are in
    memory at once and on disk some seconds later.
    `watchers` are called inside the write job with a registration as it was and as it is (None:
    not there), so that what they send is part of the same commit; `listeners` after it, with its
    id.
    """

    def __init__(self, context: Context, clock: Callable[[], int] | None = None) -> None:
        self._context = context
        self._clock = clock or _now
        self._index = RegistrationIndex()
        self._counters: dict[str, Counters] = {}
        self._dirty: set[str] = set()
        self._lock = asyncio.Lock()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._flusher: asyncio.Task[None] | None = None
        self._alarm: asyncio.TimerHandle | None = None
        self._expiring: dict[str, int] = {}
        self.watchers: list[Watcher] = []
        self.listeners: list[Callable[[str], None]] = []
        self._load()

    @property
    def empty(self) -> bool:
        """Whether there are none."""
        return self._index.empty

    def __len__(self) -> int:
        return len(self._index)

    def find(self, registration_id: str) -> Registration | None:
        """One registration; None when there is none, or its time is over."""
        found = self._index.find(registration_id)
        return None if found is None or self._expired(found) else found

    def all(self) -> list[Registration]:
        """Every one of them, in the order in which they came."""
        return [one for one in self._index if not self._expired(one)]

    def matching(self, spec: RegistrationSpec, operation: str | None = None) -> list[Match]:
        """Those that a request is about (§5.12), with `operation` (§4.20) only those whose
        source takes it, in the order in which they came."""
        if self._index.empty:
            return []
        return [
            one
            for one in self._index.matching(spec)
            if (operation is None or operation in one.registration.supported)
            and not self._expired(one.registration)
        ]

    def selected(self, selector: SourceSelector) -> list[Match]:
        """Those that a subscription is about, in the order in which they came, each with all the
        parts that match."""
        if self._index.empty:
            return []
        if len(selector.specs) == 1:
            found = [one.registration for one in self.matching(selector.specs[0])]
        else:
            ids = {one.registration.id for spec in selector.specs for one in self.matching(spec)}
            found = [one for one in self.all() if one.id in ids] if ids else []
        matches = (selector.match(one) for one in found)
        return [one for one in matches if one is not None]

    def counters(self, registration_id: str) -> Counters | None:
        """How requests to its source went; None before the first."""
        return self._counters.get(registration_id)

    def note_success(self, registration_id: str) -> None:
        """A distributed operation of this registration succeeded."""
        if self._index.find(registration_id) is not None:
            self._counted(registration_id).success(self._clock())

    def note_failure(self, registration_id: str, reason: str) -> None:
        """A distributed operation failed; `reason` is for people."""
        if self._index.find(registration_id) is not None:
            self._counted(registration_id).failure(self._clock(), reason)

    def health(self) -> list[SourceHealth]:
        """Every registered source and how requests to it went, for pages."""
        nothing = Counters()
        return [_health(one, self._counters.get(one.id, nothing)) for one in self.all()]

    async def create(self, document: dict[str, Any], ld: CompiledContext) -> Registration:
        """Create Context Source Registration (§5.9.2).

        BadRequestData, AlreadyExists, or Conflict with an exclusive or redirect registration or
        with entities that are held here.
        """

        def run() -> Awaitable[Registration]:
            made = parse_registration(document, ld, make_id=_new_id, now=self._clock())
            return self._create(made)

        return await self.alone(run)

    async def update(
        self, registration_id: str, fragment: dict[str, Any], ld: CompiledContext
    ) -> Registration:
        """Update Context Source Registration (§5.9.3); ResourceNotFound when there is none."""

        def run() -> Awaitable[Registration]:
            current = self._get(registration_id)
            now = self._clock()
            return self._keep(patched_registration(current, fragment, ld, now=now))

        return await self.alone(run)

    async def delete(self, registration_id: str) -> None:
        """Delete Context Source Registration (§5.9.4); ResourceNotFound when there is none."""
        await self.alone(lambda: self._forget(self._get(registration_id)))

    async def close(self) -> None:
        """Finish what waits and write the counters."""
        if self._alarm is not None:
            self._alarm.cancel()
        if self._flusher is not None:
            self._flusher.cancel()
            await asyncio.gather(self._flusher, return_exceptions=True)
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._flush()

    def _load(self) -> None:
        documents = self._context.store.documents
        for _, body in documents.list(KIND):
            made = _decode(body)
            self._index.put(made)
            if made.expires is not None:
                self._expiring[made.id] = made.expires
        for one, body in documents.list(COUNTERS_KIND):
            if self._index.find(one) is not None:
                self._counters[one] = _decode_counters(body)
        self._set_alarm()

    async def alone(self, start: Callable[[], Awaitable[T]]) -> T:
        """Run one change at a time, to its end even when the client is gone: what is on disk and
        what is in memory must not part. For others too, who must not see registrations change."""

        async def run() -> T:
            async with self._lock:
                return await start()

        task = asyncio.get_running_loop().create_task(run())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return await asyncio.shield(task)

    async def _create(self, made: Registration) -> Registration:
        if self.find(made.id) is not None:
            raise AlreadyExists(f"there is a registration {made.id} already")
        if len(self._index) >= MAX_REGISTRATIONS:
            raise Forbidden(f"there are {MAX_REGISTRATIONS} registrations, no more are allowed")
        return await self._keep(made)

    async def _keep(self, made: Registration) -> Registration:
        """Check for conflicts and keep it, durably."""
        conflicts.with_registrations(made, self.matching)
        before = self._index.find(made.id)
        # In force before the check: what is written from here on goes by it, and what was already
        # on its way is waited for, so that no entity slips in between check and registration.
        self._index.put(made)
        try:
            await self._context.write(_nothing)
            await conflicts.with_entities(made, self._context)
            await self._commit(before, made)
        except BaseException:
            if before is None:
                self._index.remove(made.id)
            else:
                self._index.put(before)
            raise
        self._note_expiry(made)
        self._told(made.id)
        return made

    async def _commit(self, before: Registration | None, made: Registration) -> None:
        body = _encode(made)

        def job(txn: Txn) -> None:
            conflicts.with_held_attributes(made, txn)
            txn.keep(KIND, made.id, body)
            self._tell(txn, before, made)

        await self._context.write(job)

    async def _forget(self, gone: Registration) -> None:
        def job(txn: Txn) -> None:
            txn.forget(KIND, gone.id)
            txn.forget(COUNTERS_KIND, gone.id)
            self._tell(txn, gone, None)

        await self._context.write(job)
        self._index.remove(gone.id)
        self._counters.pop(gone.id, None)
        self._expiring.pop(gone.id, None)
        self._told(gone.id)
        self._dirty.discard(gone.id)

    def _get(self, registration_id: str) -> Registration:
        found = self.find(registration_id)
        if found is None:
            raise ResourceNotFound(f"no registration {registration_id}")
        return found

    def _counted(self, registration_id: str) -> Counters:
        self._dirty.add(registration_id)
        if self._flusher is None:
            self._flusher = asyncio.get_running_loop().create_task(self._flush_later())
        return self._counters.setdefault(registration_id, Counters())

    async def _flush_later(self) -> None:
        while self._dirty:
            await asyncio.sleep(_FLUSH_SECONDS)
            await self._flush()
        self._flusher = None

    async def _flush(self) -> None:
        dirty, self._dirty = self._dirty, set()
        bodies = [(one, _encode(self._counters[one])) for one in dirty if self._index.find(one)]
        if not bodies:
            return

        def job(txn: Txn) -> None:
            for one, body in bodies:
                txn.keep(COUNTERS_KIND, one, body)

        try:
            await self._context.write(job)
        except Exception as error:
            _logger.warning("counters of registrations not kept: %s", error)

    def _expired(self, one: Registration) -> bool:
        return one.expires is not None and one.expires <= self._clock()

    def _note_expiry(self, made: Registration) -> None:
        known = self._expiring.pop(made.id, None)
        if made.expires is not None:
            self._expiring[made.id] = made.expires
        if known != made.expires:
            self._set_alarm()

    def _tell(self, txn: Txn, before: Registration | None, after: Registration | None) -> None:
        for watcher in self.watchers:
            watcher(txn, before, after)

    def _told(self, registration_id: str) -> None:
        for listener in self.listeners:
            listener(registration_id)

    def _set_alarm(self) -> None:
        """Wake up when the next registration's time is over."""
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        if not self._expiring:
            return
        with contextlib.suppress(RuntimeError):  # no loop: a tool that only looks
            loop = asyncio.get_running_loop()
            first = min(self._expiring.values())
            wait = max(0.0, min((first - self._clock()) / 1e6, 3600.0))
            self._alarm = loop.call_later(wait + 0.001, self._expire)

    def _expire(self) -> None:
        """Delete what is over (§5.9.2.4)."""
        now = self._clock()
        over = [one for one, expires in self._expiring.items() if expires <= now]
        for one in over:
            # Not again with the next alarm; one that cannot be deleted now is never shown anyway.
            del self._expiring[one]
            gone = self._index.find(one)
            if gone is not None:
                task = asyncio.get_running_loop().create_task(self._delete_expired(gone))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
        self._set_alarm()

    async def _delete_expired(self, one: Registration) -> None:
        async with self._lock:
            if self._index.find(one.id) is one:
                try:
                    await self._forget(one)
                except Exception as error:
                    _logger.warning("registration %s not deleted: %s", one.id, error)


def _nothing(_: Txn) -> None:
    """A job that only waits for those before it."""


def _now() -> int:
    return time.time_ns() // 1000


def _new_id() -> str:
    return f"urn:ngsi-ld:ContextSourceRegistration:{uuid4()}"


def _health(one: Registration, counted: Counters) -> SourceHealth:
    return SourceHealth(
        one.id,
        one.name,
        one.endpoint,
        one.mode,
        counted.status,
        counted.times_sent,
        counted.times_failed,
        counted.last_success,
        counted.last_failure,
        counted.last_error,
    )
