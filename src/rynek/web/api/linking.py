"""Following relationships: linked entity retrieval and conditions on linked entities (§4.5.23)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from rynek.base.errors import TooComplexQuery
from rynek.context import Entity, Query, View, object_ids, wanted_links
from rynek.web.api import sources
from rynek.web.api.call import Call, Header
from rynek.web.api.reading import Join


class Links:
    """The linked entities of one request, each fetched once; TooComplexQuery above `most`."""

    def __init__(self, call: Call, most: int) -> None:
        self._call = call
        self._most = most
        self.found: dict[str, Entity] = {}
        self.headers: list[Header] = []
        self._asked: set[str] = set()

    async def fetch(self, wanted: Iterable[tuple[str, Collection[str]]]) -> bool:
        """Fetch what was not asked for before; False when there was nothing new."""
        new: dict[str, Collection[str]] = {}
        for entity_id, types in wanted:
            if entity_id not in self._asked and not new.get(entity_id):
                new[entity_id] = types
        if not new:
            return False
        self._asked.update(new)
        if len(self._asked) > self._most:
            raise TooComplexQuery(f"more than {self._most} linked entities in one request")
        found, headers = await sources.retrieve_many(self._call, new)
        self.found |= found
        self.headers += [one for one in headers if one not in self.headers]
        return True

    async def follow(
        self, entities: Sequence[Entity], view: View, join: Join
    ) -> list[tuple[Entity, View]]:
        """Fetch what the shown relationships lead to, `join.level` deep, and return it with how
        it is shown, each once in the order in which it is reached, without `entities`."""
        reached = {one.id for one in entities} | join.contained
        order: list[tuple[Entity, View]] = []
        views: dict[tuple[int, str], View] = {}
        front = [(one, view) for one in entities]
        for _ in range(join.level):
            targets = [
                target
                for one, shown in front
                for target in _targets(one, shown, views)
                if target[0] not in join.contained
            ]
            await self.fetch((one, types) for one, types, _ in targets)
            after: dict[tuple[str, int], tuple[Entity, View]] = {}
            for one, _, shown in targets:
                entity = self.found.get(one)
                if entity is not None:
                    after.setdefault((one, id(shown)), (entity, shown))
                    if one not in reached:
                        reached.add(one)
                        order.append((entity, shown))
            front = list(after.values())
        return order

    async def matching(self, entities: Sequence[Entity], query: Query) -> list[Entity]:
        """Those of the entities for which the conditions on linked entities hold."""
        q = query.q
        assert q is not None
        while await self.fetch(
            link for entity in entities for link in wanted_links(q, entity, self.found)
        ):
            pass
        return [one for one in entities if query.matches_linked(one, self.found)]


def _targets(
    entity: Entity, view: View, views: dict[tuple[int, str], View]
) -> list[tuple[str, Collection[str], View]]:
    """(id, types it is said to have, how it is shown) of what shown relationships lead to."""
    found: list[tuple[str, Collection[str], View]] = []
    for attr, instances in entity.attrs.items():
        if not any(map(object_ids, instances)):
            continue
        inner = views.get((id(view), attr))
        if inner is None:
            inner = views[(id(view), attr)] = view.of_linked(attr)
        for instance in view.instances(attr, instances):
            found += [(one, instance.object_type or (), inner) for one in object_ids(instance)]
    return found
