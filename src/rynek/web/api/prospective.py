"""A tenant that comes into being with its first write, not with a request that is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


class ProspectiveTenant:
    """What handlers that create entities need of a tenant that is not there yet.

    Names resolve with the default tenant's contexts; the first write makes the tenant.
    """

    def __init__(self, engine: Any, name: str) -> None:
        self._engine = engine
        self._name = name
        self.resolver = engine.tenant(engine.default_tenant).context.resolver

    @property
    def context(self) -> ProspectiveTenant:
        """The live picture to be: this object resolves and writes."""
        return self

    async def write(self, job: Callable[[Any], T]) -> T:
        """Make the tenant and run `job` in it."""
        tenant = self._engine.tenant(self._name, create=True)
        done: T = await tenant.context.write(job)
        return done
