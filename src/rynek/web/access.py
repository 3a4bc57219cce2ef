"""Who may do what: every request's rights are decided here and nowhere else."""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from typing import Final, Literal

from rynek.base.errors import Forbidden, Problem, Unauthorized
from rynek.base.ids import SERVICE_TENANT
from rynek.practices.cards import Viewer
from rynek.web.tokens import Token, TokenStore

Right = Literal["read", "write", "admin"]

_LEVEL: Final[dict[str, int]] = {"none": 0, "read": 1, "write": 2, "admin": 3}


class Access:
    """Rights of anonymous clients by the settings, of others by their token's scopes."""

    def __init__(self, anonymous: str, tokens: TokenStore, watchers: str = "none") -> None:
        self._anonymous = _LEVEL[anonymous]
        self._watchers = watchers
        self._tokens = tokens

    def check(self, authorization: str | None, right: Right, tenant: str) -> Token | None:
        """Pass, or raise Unauthorized (no or a wrong token) or Forbidden (its scopes do not reach).

        `authorization` is the header of that name. A right includes those below it.
        """
        if authorization is None:
            if _LEVEL[right] <= self._anonymous and tenant != SERVICE_TENANT:
                return None
            raise Unauthorized(f"to {right} here, send a token: Authorization: Bearer …")
        token = self._token(authorization)
        if not token.allows(right, tenant):
            raise Forbidden(f"the token {token.name!r} may not {right} in the tenant {tenant!r}")
        return token

    def _token(self, authorization: str) -> Token:
        scheme, _, secret = authorization.partition(" ")
        if not hmac.compare_digest(scheme.lower().encode(), b"bearer") or not secret:
            raise Unauthorized("send the token as Authorization: Bearer …")
        token = self._tokens.find(secret.strip())
        if token is None:
            raise Unauthorized("the token is unknown, revoked or expired")
        return token

    def viewer(self, authorization: str | None, tenants: Iterable[str]) -> tuple[Viewer, str]:
        """What a client may see and write of practice cards, and its token's name ("" without one).

        It writes the cards of each of `tenants` in which it may write, and an admin all of them.
        Unauthorized for a wrong token, or none where nothing may be read without.
        """
        if authorization is None:
            if self._anonymous < _LEVEL["read"]:
                raise Unauthorized("to read here, send a token: Authorization: Bearer …")
            writes = self._anonymous >= _LEVEL["write"]
            return Viewer(owners=frozenset(tenants if writes else ())), ""
        token = self._token(authorization)
        owners = frozenset(name for name in tenants if token.allows("write", name))
        return Viewer(member=True, owners=owners, admin="admin" in token.scopes), token.name

    def check_watcher(self, authorization: str | None, *, local: bool) -> None:
        """Pass who may see the service's own figures, or raise as `check` does.

        That is who may read in the service's own tenant, and without a token whom the settings say
        (`metrics.anonymous`); `local` requests come from this machine.
        """
        if authorization is None:
            if self._watchers == "all" or (local and self._watchers == "loopback"):
                return
            raise Unauthorized(
                "the service's own figures need a token with the scope"
                f" read:{SERVICE_TENANT} or admin: Authorization: Bearer …"
            )
        self.check(authorization, "read", SERVICE_TENANT)

    def may_watch(self, authorization: str | None, *, local: bool) -> bool:
        """Whether a client may see the service's own figures."""
        try:
            self.check_watcher(authorization, local=local)
        except Problem:
            return False
        return True

    def check_surveyor(self, authorization: str | None) -> None:
        """Pass who runs surveys: publishes, invites, and sees every cell. That is an admin of the
        whole service, also where everybody may write: what was answered is nobody else's."""
        if authorization is None:
            raise Unauthorized("to run surveys, send a token with the scope admin")
        token = self._token(authorization)
        if not token.allows("admin", SERVICE_TENANT):
            raise Forbidden(f"the token {token.name!r} may not run surveys: that takes admin")

    def runs_surveys(self, authorization: str | None) -> bool:
        """Whether a client passes `check_surveyor`."""
        try:
            self.check_surveyor(authorization)
        except Problem:
            return False
        return True

    def readable(self, authorization: str | None, tenant: str) -> bool:
        """Whether a client with that header may read in `tenant`."""
        return self.may(authorization, "read", tenant)

    def may(self, authorization: str | None, right: Right, tenant: str) -> bool:
        """Whether a client with that header has a right in `tenant`."""
        try:
            self.check(authorization, right, tenant)
        except Problem:
            return False
        return True
