"""Who may do what: every request's rights are decided here and nowhere else."""

from __future__ import annotations

import hmac
from typing import Final, Literal

from rynek.base.errors import Forbidden, Unauthorized, Unavailable
from rynek.web.tokens import Token, TokenStore

Right = Literal["read", "write", "admin"]

_LEVEL: Final[dict[str, int]] = {"none": 0, "read": 1, "write": 2, "admin": 3}


class Access:
    """Rights of anonymous clients by the settings, of others by their token's scopes."""

    def __init__(self, anonymous: str, tokens: TokenStore) -> None:
        self._anonymous = _LEVEL[anonymous]
        self._tokens = tokens

    def check(self, authorization: str | None, right: Right, tenant: str) -> Token | None:
        """Pass, or raise Unauthorized (no or a wrong token) or Forbidden (its scopes do not reach).

        `authorization` is the header of that name. A right includes those below it.
        """
        if authorization is None:
            if _LEVEL[right] <= self._anonymous:
                return None
            raise Unauthorized(f"to {right} here, send a token: Authorization: Bearer …")
        scheme, _, secret = authorization.partition(" ")
        if not hmac.compare_digest(scheme.lower().encode(), b"bearer") or not secret:
            raise Unauthorized("send the token as Authorization: Bearer …")
        token = self._tokens.find(secret.strip())
        if token is None:
            raise Unauthorized("the token is unknown, revoked or expired")
        if not token.allows(right, tenant):
            raise Forbidden(f"the token {token.name!r} may not {right} in the tenant {tenant!r}")
        return token

    def readable(self, authorization: str | None, tenant: str) -> bool:
        """Whether a client with that header may read in `tenant`."""
        return self.may(authorization, "read", tenant)

    def may(self, authorization: str | None, right: Right, tenant: str) -> bool:
        """Whether a client with that header has a right in `tenant`."""
        try:
            self.check(authorization, right, tenant)
        except (Unauthorized, Forbidden, Unavailable):
            return False
        return True
