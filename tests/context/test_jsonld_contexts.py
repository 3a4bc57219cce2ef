"""Resolving @contexts: what clients name, remote documents, limits, and what is remembered."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from rynek.base.errors import BadRequestData, LdContextNotAvailable
from rynek.base.http import Guard
from rynek.context import Freshness, contexts
from rynek.context.contexts import ContextResolver, Spec
from rynek.context.jsonld import CORE_URL, CompiledContext, core_context

from .caches import Memory

A = "https://example.org/a.jsonld"
B = "https://example.org/b.jsonld"


class Kept(Memory):
    """A cache that starts with documents."""

    def __init__(self, **documents: Any) -> None:
        super().__init__()
        self.bodies = {f"https://example.org/{k}.jsonld": _doc(v) for k, v in documents.items()}


def _doc(context: Any) -> bytes:
    return json.dumps({"@context": context}).encode()


def resolve(
    spec: Spec, cache: Kept | None = None, default: list[str] | None = None
) -> CompiledContext:
    resolver = ContextResolver(cache or Kept(), Guard(), default)
    return asyncio.run(resolver.resolve(spec))


@pytest.mark.parametrize(
    "spec",
    [
        None,
        CORE_URL,
        "https://uri.etsi.org/ngsi-ld/v1/ngsi-ld-core-context.jsonld",
        "http://uri.etsi.org/ngsi-ld/v1/ngsi-ld-core-context-v1.3.jsonld",
        [CORE_URL],
        [],
        {},
    ],
)
def test_every_version_of_the_core_context_is_the_built_in_one(spec: Spec) -> None:
    assert resolve(spec).id == core_context().id


def test_what_the_client_named_comes_back() -> None:
    cache = Kept(a={"ex": "http://ex.org/#", "speed": "ex:velocity"})
    compiled = resolve([A, CORE_URL], cache)
    assert compiled.expand_term("speed") == "http://ex.org/#velocity"
    assert compiled.link == compiled.link_value == A
    assert compiled.member == [A, CORE_URL]


def test_several_parts_have_no_single_link_and_later_ones_win() -> None:
    inline = {"speed": "http://ex.org/two"}
    compiled = resolve([A, inline], Kept(a={"speed": "http://ex.org/one", "x": "http://ex.org/x"}))
    assert compiled.expand_term("speed") == "http://ex.org/two"
    assert compiled.expand_term("x") == "http://ex.org/x"
    assert compiled.link is None
    assert compiled.member == [A, inline, CORE_URL]


def test_remote_contexts_may_name_others_relative_to_themselves() -> None:
    cache = Kept(a=["b.jsonld", {"y": "http://ex.org/y"}], b={"x": "http://ex.org/x"})
    compiled = resolve(A, cache)
    assert (compiled.expand_term("x"), compiled.expand_term("y")) == (
        "http://ex.org/x",
        "http://ex.org/y",
    )


def test_import_is_merged_below_the_importing_context() -> None:
    cache = Kept(a={"@import": "b.jsonld", "x": "http://ex.org/a"},
                 b={"x": "http://ex.org/b", "z": "http://ex.org/z"})  # fmt: skip
    compiled = resolve(A, cache)
    assert (compiled.expand_term("x"), compiled.expand_term("z")) == (
        "http://ex.org/a",
        "http://ex.org/z",
    )


def test_the_default_of_the_city_counts_when_a_client_names_none() -> None:
    cache = Kept(a={"speed": "http://ex.org/speed"})
    assert resolve(None, cache, [A]).expand_term("speed") == "http://ex.org/speed"
    assert resolve(CORE_URL, cache, [A]).expand_term("speed").endswith("default-context/speed")


def test_the_hot_path_finds_what_was_resolved_before() -> None:
    resolver = ContextResolver(Kept(a={"x": "http://ex.org/x"}), Guard())
    assert resolver.resolve_cached(None) is core_context()
    assert resolver.resolve_cached(A) is None
    compiled = asyncio.run(resolver.resolve(A))
    assert resolver.resolve_cached(A) is compiled
    resolver.forget(A)
    assert resolver.resolve_cached(A) is None


@pytest.mark.parametrize(
    ("documents", "says"),
    [
        ({"a": A}, "itself"),
        ({"a": [B], "b": [A]}, "itself"),
        ({"a": {"@import": "a.jsonld"}}, "itself"),
        ({"a": {"x": {"@id": "http://x/", "@context": {}}}}, "scoped"),
        ({"a": {"x": {"@reverse": "http://x/"}}}, "@reverse"),
        ({"a": {"x": "y:z", "y": "x:z"}}, "through itself"),
        ({"a": {"x": 5}}, "no term definition"),
        ({"a": {"x": {"@id": 5}}}, "no string"),
        ({"a": {"kind": "@type"}}, "not supported"),
        ({"a": 5}, "is a URL, an object"),
        ({"a": [{}] * 60}, "parts"),
        ({"a": [[[[[[[[[[[[{}]]]]]]]]]]]]}, "deep"),
        ({"a": {"x": "nowhere"}}, "leads to no IRI"),
    ],
)
def test_what_no_context_may_be(documents: dict[str, Any], says: str) -> None:
    with pytest.raises(BadRequestData, match=says):
        resolve(A, Kept(**documents))


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"context": {}}', b"\xff\xfe"])
def test_a_document_that_holds_no_context(body: bytes) -> None:
    cache = Kept()
    cache.bodies[A] = body
    with pytest.raises(BadRequestData):
        resolve(A, cache)


def test_a_context_in_a_private_network_is_not_fetched() -> None:
    with pytest.raises(LdContextNotAvailable, match="private"):
        resolve("http://127.0.0.1:9/context.jsonld")


def test_after_a_failure_it_is_not_asked_again_at_once_unless_told() -> None:
    async def run() -> None:
        asked: list[bytes] = []

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            asked.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(
                b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            )
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/c.jsonld"
        resolver = ContextResolver(Kept(), Guard(allow_private=True))
        for _ in range(3):
            with pytest.raises(LdContextNotAvailable, match="status 404"):
                await resolver.resolve(url)
        assert len(asked) == 1
        resolver.forget(url)
        with pytest.raises(LdContextNotAvailable, match="status 404"):
            await resolver.resolve(url)
        assert len(asked) == 2
        server.close()

    asyncio.run(run())


@pytest.mark.parametrize("spec", [5, True, [5], "ftp://x/y", "nothing"])
def test_what_names_no_context(spec: Any) -> None:
    with pytest.raises((BadRequestData, LdContextNotAvailable)):
        resolve(spec)


def test_a_remote_context_is_fetched_once_kept_and_never_fetched_again() -> None:
    async def run() -> None:
        asked: list[str] = []

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            asked.append((await reader.readuntil(b"\r\n\r\n")).decode())
            body = _doc({"x": "http://ex.org/x"})
            head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
            writer.write(head.encode() + body)
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/c.jsonld"
        cache, guard = Kept(), Guard(allow_private=True)
        resolver = ContextResolver(cache, guard)
        first, second = await asyncio.gather(resolver.resolve(url), resolver.resolve([url]))
        assert first.expand_term("x") == second.expand_term("x") == "http://ex.org/x"
        assert len(asked) == 1
        assert "application/ld+json" in asked[0]
        server.close()
        again = await ContextResolver(cache, guard).resolve(url)
        assert again.id == first.id
        await guard.aclose()

    asyncio.run(run())


def test_a_stale_context_waits_for_no_slow_origin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contexts, "STALE_SECONDS", 0.05)

    async def run() -> None:
        go = asyncio.Event()

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            await go.wait()
            body = _doc({"x": "http://ex.org/new"})
            head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
            writer.write(head.encode() + body)
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/c.jsonld"
        cache, guard = Kept(), Guard(allow_private=True)
        cache.put(url, _doc({"x": "http://ex.org/old"}), Freshness(0))
        resolver = ContextResolver(cache, guard)
        assert (await resolver.resolve(url)).expand_term("x") == "http://ex.org/old"
        go.set()
        for _ in range(2_000):
            if (await resolver.resolve(url)).expand_term("x") == "http://ex.org/new":
                break
            await asyncio.sleep(0.01)
        assert (await resolver.resolve(url)).expand_term("x") == "http://ex.org/new"
        server.close()
        await guard.aclose()

    asyncio.run(run())
