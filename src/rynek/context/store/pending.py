"""An entity within a group of writes: as bytes, as an Entity, or both; each made when asked for."""

from __future__ import annotations

import msgspec

from rynek.base.errors import BadRequestData
from rynek.context.formats import Sheet, decode, encode_body, encode_times, open_sheet
from rynek.context.jsonld import CompiledContext, core_context
from rynek.context.model import Entity
from rynek.context.store.contract import Moved


class State(msgspec.Struct, gc=False):
    """An entity at one moment; neither an Entity nor bytes: it is not there. `base` is what it was
    before the attributes in `moved` changed, where only those did."""

    ctx: CompiledContext | None = None
    known: Entity | None = None
    body: bytes | None = None
    times: bytes | None = None
    parts: Sheet | None = None
    base: State | None = None
    moved: Moved | None = None

    @property
    def there(self) -> bool:
        """Whether there is such an entity."""
        return self.known is not None or self.body is not None or self.parts is not None

    @property
    def entity(self) -> Entity | None:
        """The entity; None where there is none."""
        if self.known is None and self.base is not None:
            self.known = self._derived()
        if self.known is None and self.there:
            body, times = self.encoded(), self.encoded_times()
            assert self.ctx is not None  # encoded() has seen to it
            self.known = decode(body, times, self.ctx)
        return self.known

    def _derived(self) -> Entity | None:
        """What it was with the changed attributes in it: nothing has to be decoded twice."""
        was = self.base.entity if self.base is not None else None
        if was is None or self.moved is None or self.parts is None:
            return None
        attrs = was.attrs | {attr: [now] for attr, (_, now) in self.moved.items()}
        for attr, instances in was.attrs.items():
            one = instances[0]
            created, modified = self.parts.pair(attr)
            if attr not in self.moved and one.modified_at != modified:
                again = msgspec.structs.replace(one, created_at=created, modified_at=modified)
                attrs[attr] = [again]
        return msgspec.structs.replace(was, attrs=attrs, modified_at=self.parts.modified)

    def encoded(self) -> bytes:
        """The stored form under `ctx`, made once; it settles under which @context that is."""
        if self.body is None:
            if self.parts is not None:
                self.body = self.parts.body()
                return self.body
            assert self.known is not None
            assert self.ctx is not None
            try:
                self.body = encode_body(self.known, self.ctx)
            except BadRequestData:
                # An attribute from before, which this @context would take for something else:
                # under the core context every name stands in full.
                self.ctx = core_context()
                self.body = encode_body(self.known, self.ctx)
        return self.body

    def encoded_times(self) -> bytes:
        """The times as stored, made once."""
        if self.times is None:
            if self.parts is not None:
                self.times = self.parts.times()
            else:
                assert self.known is not None
                self.times = encode_times(self.known)
        return self.times

    def sheet(self) -> Sheet | None:
        """The entity in its parts; None where it is not stored yet, or not that simple."""
        if self.parts is None and self.body is not None and self.times is not None:
            assert self.ctx is not None
            self.parts = open_sheet(self.body, self.times, self.ctx)
        return self.parts


class Pending(msgspec.Struct):
    """An entity in a group: as committed (`before`, its number n) and as the group leaves it.

    `moved` holds what was written attribute by attribute; None once it was written as a whole.
    """

    n: int
    before: State
    after: State
    dirty: bool = False
    moved: Moved | None = None
