"""What every request of a room's own interface (`/api/…`) is asked for alike."""

from __future__ import annotations

from starlette.requests import Request

from rynek.base.errors import InvalidRequest

__all__ = ["Requested"]


class Requested:
    """One request of an interface."""

    request: Request

    def name(self, part: str) -> str:
        """A part of the path."""
        return str(self.request.path_params[part])

    def refuse_unknown(self, *known: str) -> None:
        """InvalidRequest for parameters that are none."""
        for name in self.request.query_params:
            if name not in known:
                told = f"{', '.join(known)} are" if known else "there are none"
                raise InvalidRequest(f"{name[:60]}: is no parameter here; {told}")
