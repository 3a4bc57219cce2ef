"""Which requests come from this machine itself."""

from __future__ import annotations

import ipaddress
from collections.abc import MutableMapping
from typing import Any, Final

__all__ = ["is_local"]

# A proxy on this machine says for whom it asks in one of these.
_PASSED_ON: Final = frozenset(
    (b"forwarded", b"via", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto",
     b"x-real-ip", b"cf-connecting-ip", b"true-client-ip")
)  # fmt: skip


def is_local(scope: MutableMapping[str, Any]) -> bool:
    """Whether a request comes from a loopback address and no proxy says that it passed it on."""
    client = scope.get("client")
    if not client or any(name in _PASSED_ON for name, _ in scope["headers"]):
        return False
    try:
        address = ipaddress.ip_address(client[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback
