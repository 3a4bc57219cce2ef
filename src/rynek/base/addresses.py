"""Names of hosts → addresses that outgoing connections may go to.

Whoever connects uses the addresses that came out of the check: a name asked a second time could
answer differently.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Iterable
from typing import Final

from rynek.base.errors import OutgoingRefused

__all__ = ["allowed", "is_public", "resolve"]

_NAT64: Final = (ipaddress.ip_network("64:ff9b::/96"), ipaddress.ip_network("64:ff9b:1::/48"))
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


async def resolve(host: str, port: int, *, allow_private: bool) -> list[str]:
    """The addresses of `host` that may be reached; OutgoingRefused (name, address) without any."""
    if _is_literal(host):
        return allowed(host, [host], allow_private=allow_private)
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise _nameless(host) from None
    addresses = dict.fromkeys(str(entry[4][0]) for entry in found)
    return allowed(host, addresses, allow_private=allow_private)


def allowed(host: str, addresses: Iterable[str], *, allow_private: bool) -> list[str]:
    """Those of the addresses of `host` that may be reached; OutgoingRefused where none may."""
    kept = [text for text in addresses if allow_private or is_public(_address(text))]
    if not kept:
        raise OutgoingRefused(
            f"{host[:100]!r} is in a private or local network; "
            "RYNEK_NETWORK_ALLOW_PRIVATE=true would allow it",
            reason="address",
        )
    return kept


def is_public(address: Address) -> bool:
    """Whether an address belongs to the open internet, looking through IPv6 forms of IPv4."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if inner is None and any(address in network for network in _NAT64):
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(inner)
        if address.teredo is not None or address.is_site_local:
            return False
    return address.is_global and not (
        address.is_multicast or address.is_reserved or address.is_unspecified
        or address.is_loopback or address.is_link_local or address.is_private
    )  # fmt: skip


def _is_literal(host: str) -> bool:
    """Whether a host is an address already: nothing has to be asked then."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _address(text: str) -> Address:
    return ipaddress.ip_address(text.partition("%")[0])


def _nameless(host: str) -> OutgoingRefused:
    return OutgoingRefused(f"the name {host[:100]!r} has no address", reason="name")
