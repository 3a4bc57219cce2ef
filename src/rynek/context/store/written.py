"""What a job wrote of one entity, for those who look at writes: nothing is decoded unasked."""

from __future__ import annotations

from rynek.context.jsonld import CompiledContext
from rynek.context.model import Entity, Instance
from rynek.context.store.contract import Moved
from rynek.context.store.pending import State

__all__ = ["Written"]


class Written:
    """An entity as it was before a job, and as the job left it.

    `moved` holds the attributes that may differ, where the rest is known to be as it was; None
    where anything may be.
    """

    __slots__ = ("_now", "_was", "id", "moved")

    def __init__(self, entity_id: str, was: State, now: State, moved: Moved | None = None) -> None:
        self.id = entity_id
        self.moved = moved
        self._was = was
        self._now = now

    @property
    def there(self) -> bool:
        """Whether there was or is such an entity."""
        return self._now.there or self._was.there

    @property
    def types(self) -> list[str]:
        """The types (IRIs) that it has, or had last."""
        if self._now.parts is not None:
            return self._now.parts.types
        subject = self.after or self.before
        assert subject is not None  # who asks has looked whether it is `there`
        return subject.types

    @property
    def before(self) -> Entity | None:
        """What it was; None where it was not there."""
        return self._was.entity

    @property
    def after(self) -> Entity | None:
        """What it is; None where it is gone."""
        return self._now.entity

    def instances(self, attr: str) -> list[Instance]:
        """The instances of an attribute of what it is; only those are decoded where that will do."""
        if self.moved is not None and attr in self.moved:
            return [self.moved[attr][1]]
        state = self._now
        sheet, ctx = state.parts, state.ctx
        name = None if ctx is None else ctx.shorts.get(attr)
        if state.known is None and sheet is not None and ctx is not None and name is not None:
            if name not in sheet.parts:
                return []
            one = sheet.instance(name, attr, ctx)
            if one is not None:
                return [one]
        entity = state.entity
        return [] if entity is None else entity.attrs.get(attr, [])

    def body(self, ctx: CompiledContext) -> bytes | None:
        """The very bytes that are stored, where those are under `ctx`."""
        state = self._now
        stored = state.ctx
        if stored is None or (stored is not ctx and stored.id != ctx.id):
            return None
        return state.body or (state.encoded() if state.there else None)
