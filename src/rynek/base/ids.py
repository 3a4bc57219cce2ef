"""Identifiers: URNs of entities that feeds make, and the check of identifiers that clients send."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote

TENANT_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}")
"""What a tenant may be called (match it in full): a folder's name and a header's value."""
SERVICE_TENANT: Final = "_service"
"""The tenant that holds the service's own figures; it is no city, and only who watches sees it."""
_NSS_SAFE = "-._~!$*+,@"
_PLAIN = re.compile(r"[A-Za-z0-9._~!$*+,@-]+")
_URI = re.compile(r'[A-Za-z][A-Za-z0-9+.-]*:[^\x00-\x20\x7f-\xa0<>"{}|\\^`\ud800-\udfff]+')
_BAD_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_MAX_LENGTH = 2048


def urn(type_name: str, *parts: object) -> str:
    """`urn:ngsi-ld:<type>:<part>:…` with everything percent-encoded that a URN or a broker trips on.

    The colon stays in the last part (source ids often hold some) and is encoded in earlier ones,
    so that for one number of parts different parts never give the same URN. ValueError when a
    part is empty or no part is given.
    """
    texts = [str(part) for part in parts]
    if not texts or not type_name or not all(texts):
        raise ValueError(
            f"a URN needs a type and parts that are not empty: {type_name!r} {texts!r}"
        )
    encoded = [_encoded(text) for text in (type_name, *texts[:-1])]
    encoded.append(_encoded(texts[-1], _NSS_SAFE + ":"))
    return f"urn:ngsi-ld:{':'.join(encoded)}"


def _encoded(text: str, safe: str = _NSS_SAFE) -> str:
    # Nearly all are plain, and looking costs a sixth of encoding.
    return text if _PLAIN.fullmatch(text) else quote(text, safe=safe)


def is_uri(text: str) -> bool:
    """Whether `text` is an absolute URI or IRI (RFC 3986, RFC 3987) of at most 2,048 characters."""
    return (
        len(text) <= _MAX_LENGTH
        and _URI.fullmatch(text) is not None
        and ("%" not in text or _BAD_PERCENT.search(text) is None)
    )
