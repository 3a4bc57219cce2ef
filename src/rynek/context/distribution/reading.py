"""What reads of several sources share: narrowed requests, warnings, whole answers (§6.3.17)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import unquote

import msgspec

from rynek.context.distribution.answer import Answer
from rynek.context.distribution.forward import Forwarder, Origin, Outbound
from rynek.context.distribution.merge import expired, without
from rynek.context.distribution.narrow import is_about, is_registered, reduced
from rynek.context.distribution.read import InvalidAnswer, RemoteEntity, Resolve, entity_from
from rynek.context.jsonld import CompiledContext
from rynek.context.model import Entity
from rynek.context.registrations import AUXILIARY, Match

__all__ = ["Asked", "Reader", "Warn", "held_elsewhere", "with_times"]

STALE: Final = 110
INVALID: Final = 111
MISCELLANEOUS: Final = 199
PERSISTENT: Final = 299


class Warn(msgspec.Struct, frozen=True):
    """One NGSILD-Warning: an IANA warning code and what happened, with the registration's id."""

    code: int
    text: str

    def header(self, agent: str) -> bytes:
        """The header's value; characters that a header cannot hold become question marks."""
        text = self.text.replace("\\", "/").replace('"', "'").replace("\n", " ").replace("\r", " ")
        return f'{self.code} {agent} "{text[:400]}"'.encode("latin-1", "replace")


class Asked(msgspec.Struct, frozen=True):
    """One source that takes part in a read, and what it is asked."""

    match: Match
    request: Outbound

    @property
    def auxiliary(self) -> bool:
        """Whether it only supplements what others have (§4.3.6.2)."""
        return self.match.registration.mode == AUXILIARY


class Reader:
    """Asks sources in parallel and keeps what is to be warned of, and in `maps` the id of the
    entity map that each of them (by registration) says it used."""

    def __init__(self, forwarder: Forwarder, origin: Origin, resolve: Resolve, now: int) -> None:
        self.now = now
        self.resolve = resolve
        self.warnings: list[Warn] = []
        self.maps: dict[str, str] = {}
        self._relayed: list[bytes] = []
        self._forwarder = forwarder
        self._origin = origin

    async def ask(self, asked: Sequence[Asked], *, quiet: bool = False) -> list[Answer]:
        """The answers, in the order of `asked`; those that failed have become warnings, unless
        `quiet`."""
        sent = [self._forwarder.ask(one.match.registration, one.request, self._origin)
                for one in asked]  # fmt: skip
        answers = await asyncio.gather(*sent) if len(sent) > 1 else [await sent[0]] if sent else []
        for one, answer in zip(asked, answers, strict=True):
            used = answer.headers.get("ngsild-entitymap")
            if used and answer.ok:
                self.maps[one.match.registration.id] = unquote(used.rpartition("/entityMaps/")[2])
            if not quiet:
                self._look(answer)
        return answers

    def headers(self) -> list[tuple[bytes, bytes]]:
        """The NGSILD-Warning headers of the reply (§6.3.17)."""
        agent = self._forwarder.alias
        own = list(dict.fromkeys(warning.header(agent) for warning in self.warnings))
        return [(b"ngsild-warning", value) for value in (*own, *dict.fromkeys(self._relayed))]

    def invalid(self, answer: Answer, error: InvalidAnswer) -> None:
        """What a source sent is not taken in."""
        self._warn(INVALID, answer, str(error))

    async def entity(
        self, remote: RemoteEntity, answer: Answer, match: Match, ld: CompiledContext
    ) -> Entity | None:
        """The entity, reduced to what the source is registered for; None when it is invalid (a
        warning tells), has expired, or is none of those the source is registered for."""
        try:
            entity = await entity_from(remote, ld, self.resolve)
        except InvalidAnswer as error:
            self.invalid(answer, error)
            return None
        if expired(entity, self.now) or not is_registered(entity, match):
            return None
        return reduced(entity, match)

    def _look(self, answer: Answer) -> None:
        warning = answer.headers.get("ngsild-warning")
        if warning:
            self._relayed.append(warning.encode("latin-1", "replace"))
        if answer.stale:
            self._warn(STALE, answer, "an answer from before, as its registration allows")
        if answer.ok or answer.status == 404:
            return
        if answer.status == 508:
            self._warn(MISCELLANEOUS, answer, "a loop of registrations")
        elif answer.failure in {"invalid", "context"}:
            self._warn(INVALID, answer, answer.reason)
        else:
            code = MISCELLANEOUS if answer.failure else PERSISTENT
            self._warn(code, answer, answer.reason)

    def _warn(self, code: int, answer: Answer, text: str) -> None:
        source = answer.source
        self.warnings.append(Warn(code, f"{source.id} ({source.endpoint}): {text}"))


def held_elsewhere(matches: Sequence[Match], entity: Entity) -> Entity | None:
    """A local entity less what exclusive and redirect sources hold in its place (§4.3.6.3); None
    where such a source holds it all."""
    for match in matches:
        if not match.registration.proxied:
            continue
        for part in match.parts:
            if part.entities is not None and not any(
                is_about(one, entity) for one in part.entities
            ):
                continue
            if not part.info.names:
                return None
            entity = without(entity, part.info.names)
    return entity


def with_times(params: Mapping[str, str]) -> dict[str, str]:
    """The same request, asking for system times as well."""
    return dict(params) | {"options": "sysAttrs"}
