"""What reverse proxies tell of a request: taken from those that are trusted, and from nobody else."""

from __future__ import annotations

import re
from collections.abc import Iterable, MutableMapping
from functools import lru_cache
from ipaddress import ip_address, ip_network
from typing import Any, Final

Scope = MutableMapping[str, Any]
_TOLD: Final = (b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host")
_HOST: Final = re.compile(
    rb"[A-Za-z0-9._~-]{1,253}(:[0-9]{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](:[0-9]{1,5})?"
)
_SCHEMES: Final = {b"http": "http", b"https": "https"}


class Proxies:
    """The proxies of `server.trusted_proxies`: addresses and networks."""

    def __init__(self, trusted: Iterable[str]) -> None:
        self._networks = [ip_network(one, strict=False) for one in trusted]
        self._is_trusted = lru_cache(maxsize=4096)(self._look_up)

    def heard(self, scope: Scope) -> Scope:
        """The request as its client sent it to the proxy: `client`, `scheme` and the host header.

        X-Forwarded-For is read from its end: the last address that is no trusted proxy is the
        client, whatever it claims before that. Of a list in another header the last word counts.
        """
        client = scope.get("client")
        if client is None or not self._is_trusted(client[0]):
            return scope
        told = {name: value for name, value in scope["headers"] if name in _TOLD}
        if not told:
            return scope
        heard = dict(scope)
        proto = told.get(b"x-forwarded-proto", b"")
        heard["scheme"] = _SCHEMES.get(_last(proto).lower(), scope["scheme"])
        host = _last(told.get(b"x-forwarded-host", b""))
        if _HOST.fullmatch(host):
            kept = [pair for pair in scope["headers"] if pair[0] != b"host"]
            heard["headers"] = [*kept, (b"host", host)]
        if b"x-forwarded-for" in told:
            chain = b",".join(v for n, v in scope["headers"] if n == b"x-forwarded-for")
            heard["client"] = (self._client(chain, client[0]), client[1])
        return heard

    def _client(self, chain: bytes, peer: str) -> str:
        found = peer
        for part in reversed(chain.decode("latin-1").split(",")[-50:]):
            try:
                found = str(ip_address(part.strip()))
            except ValueError:
                break
            if not self._is_trusted(found):
                break
        return found

    def _look_up(self, address: str) -> bool:
        try:
            found = ip_address(address.removeprefix("::ffff:"))
        except ValueError:
            return False
        return any(found in network for network in self._networks)


def _last(value: bytes) -> bytes:
    return value.rpartition(b",")[2].strip()
