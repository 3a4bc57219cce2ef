"""A tenant that comes into being with its first write, not with a request that is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from rynek.context import CompiledContext, Registration, parse_registration

T = TypeVar("T")


class ProspectiveTenant:
    """What handlers that create entities need of a tenant that is not there yet.

    Names resolve with the default tenant's contexts; the first write makes the tenant. As
    registrations it is `empty`.
    """

    empty = True
    expires = False
    watched = False

    async def settle(self) -> None:
        """Nothing is there that could have expired."""

    def __init__(self, engine: Any, name: str) -> None:
        self._engine = engine
        self._name = name
        self.resolver = engine.tenant(engine.default_tenant).context.resolver

    @property
    def context(self) -> ProspectiveTenant:
        """The live picture to be: this object resolves and writes."""
        return self

    @property
    def registrations(self) -> ProspectiveTenant:
        """The registrations to be: this object takes the first one."""
        return self

    @property
    def alias(self) -> str:
        """The pseudonym that the tenant will have."""
        return f"{self._name}.{self._engine.alias}"

    @property
    def service_alias(self) -> str:
        """The pseudonym of the whole service."""
        return str(self._engine.alias)

    def made(self) -> Any:
        """The tenant, made now: for a handler that has looked at what it is to hold first."""
        return self._engine.tenant(self._name, create=True)

    async def create(self, document: dict[str, Any], ld: CompiledContext) -> Registration:
        """Make the tenant and register a source in it, once the document is known to be one."""
        now = self._engine.clock.now()
        parse_registration(document, ld, make_id=lambda: "urn:ngsi-ld:to:be", now=now)
        tenant = self._engine.tenant(self._name, create=True)
        made: Registration = await tenant.registrations.create(document, ld)
        return made

    async def write(self, job: Callable[[Any], T]) -> T:
        """Make the tenant and run `job` in it."""
        tenant = self._engine.tenant(self._name, create=True)
        done: T = await tenant.context.write(job)
        return done
