"""Static files: those whose name carries a hash never change, and texts are sent packed."""

from __future__ import annotations

import gzip
import os
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.staticfiles import NotModifiedResponse, StaticFiles
from starlette.types import Scope

__all__ = ["Statics"]

_TEXTS: Final = (".css", ".js", ".json", ".mjs", ".svg")
_SMALL: Final = 1_000  # packing less saves no packet


class Statics(StaticFiles):
    """The files of a folder, gzip'd for who takes that: the map's script is 1.1 MB, 0.3 packed."""

    async def get_response(self, path: str, scope: Any) -> Response:
        """A file and for how long it may be kept."""
        response = await super().get_response(path, scope)
        hashed = path.startswith("app/assets/")
        response.headers["Cache-Control"] = (
            "public, max-age=31536000, immutable" if hashed else "no-cache"
        )
        return response

    def file_response(
        self,
        full_path: os.PathLike[str] | str,
        stat_result: os.stat_result,
        scope: Scope,
        status_code: int = 200,
    ) -> Response:
        """The file, packed where it is a text and the client takes it packed."""
        plain = super().file_response(full_path, stat_result, scope, status_code)
        if Path(full_path).suffix not in _TEXTS or stat_result.st_size < _SMALL:
            return plain
        plain.headers["Vary"] = "Accept-Encoding"
        asked = Headers(scope=scope)
        takes = {one.strip().lower() for one in asked.get("accept-encoding", "").split(",")}
        if "gzip" not in takes:
            return plain
        # Weak: the bytes are others than those of the file as it is.
        tag = f"W/{plain.headers['etag']}"
        if isinstance(plain, NotModifiedResponse):
            plain.headers["ETag"] = tag  # that of the answer which has not changed
            return plain
        if scope["method"] != "GET":
            return plain
        body = _packed(os.fspath(full_path), stat_result.st_mtime_ns)
        headers = {name: plain.headers[name] for name in ("vary", "last-modified")}
        headers |= {"Content-Encoding": "gzip", "ETag": tag}
        return Response(body, status_code, headers, plain.media_type)


@lru_cache(maxsize=64)
def _packed(path: str, _mtime: int) -> bytes:
    """A file of the package, gzip'd once a version of it."""
    return gzip.compress(Path(path).read_bytes(), 9, mtime=0)
