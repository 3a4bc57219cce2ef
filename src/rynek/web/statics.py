"""Static files: those whose name carries a hash never change, and texts are sent packed."""

from __future__ import annotations

import asyncio
import gzip
import os
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from starlette.datastructures import Headers
from starlette.responses import FileResponse, Response
from starlette.staticfiles import NotModifiedResponse, StaticFiles
from starlette.types import Scope

from rynek.web.api.negotiation import takes_gzip

__all__ = ["Statics"]

_TEXTS: Final = (".css", ".js", ".json", ".mjs", ".svg")
_SMALL: Final = 1_000  # packing less saves no packet


class Statics(StaticFiles):
    """The files of a folder, gzip'd for who takes that: the map's script is 1.1 MB, 0.3 packed."""

    async def get_response(self, path: str, scope: Any) -> Response:
        """A file and for how long it may be kept."""
        response = await super().get_response(path, scope)
        if isinstance(response, FileResponse) and "content-encoding" in response.headers:
            response = await _gzipped(response, head=scope["method"] == "HEAD")
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
        """The file, said to be packed where it is a text and the client takes it packed."""
        plain = super().file_response(full_path, stat_result, scope, status_code)
        if Path(full_path).suffix not in _TEXTS or stat_result.st_size < _SMALL:
            return plain
        plain.headers["Vary"] = "Accept-Encoding"
        if not takes_gzip(Headers(scope=scope).get("accept-encoding", "")):
            return plain
        # Weak: the bytes are others than those of the file as it is.
        plain.headers["ETag"] = f"W/{plain.headers['etag']}"
        if not isinstance(plain, NotModifiedResponse):
            plain.headers["Content-Encoding"] = "gzip"
        return plain


async def _gzipped(file: FileResponse, *, head: bool) -> Response:
    """The same with its content packed, beside the event loop: a large script takes 60 ms, once.
    To HEAD its headers alone, which are those of GET (RFC 9110 §9.3.2)."""
    mtime = file.stat_result.st_mtime_ns if file.stat_result is not None else 0
    body = await asyncio.to_thread(_packed, os.fspath(file.path), mtime)
    kept = ("vary", "last-modified", "etag", "content-encoding")
    headers = {name: file.headers[name] for name in kept}
    headers["content-length"] = str(len(body))
    return Response(b"" if head else body, file.status_code, headers, file.media_type)


@lru_cache(maxsize=64)
def _packed(path: str, _mtime: int) -> bytes:
    """A file of the package, gzip'd once a version of it."""
    return gzip.compress(Path(path).read_bytes(), 9, mtime=0)
