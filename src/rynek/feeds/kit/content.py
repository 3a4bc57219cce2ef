"""Bytes as they come: compressed or not, in whichever encoding; always bounded."""

from __future__ import annotations

import io
import lzma
import re
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator

_GZIP = b"\x1f\x8b"
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
PACKED = (_GZIP, *_ZIP)
"""How compressed content begins: a few kilobytes of it may be megabytes."""
_CZECH = "áčďéěíňóřšťúůýžąćęłńśźżöüäő"
_CYRILLIC = "абвгґдђежзиіїєйјклљмнњопрстћуфхцчџшщъыьэюя"
_WORD = re.compile(rb"[A-Za-z\x80-\xff]+")
_LATIN = re.compile(rb"[A-Za-z]")
_C1 = re.compile(rb"[\x80-\x9f]")
MAX_MEMBERS = 10_000
_MAX_LISTED = 100_000
_LISTED = b"PK\x01\x02"
_TAR_ERRORS = (EOFError, OSError, OverflowError, IndexError, KeyError, TypeError, AttributeError)
ZIP_ERRORS = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, NotImplementedError, RuntimeError,
    EOFError, OSError, IndexError, AttributeError,
)  # fmt: skip
"""What the zip reader of the standard library raises for archives that are broken or crafted."""


def gunzip(data: bytes, max_bytes: int) -> bytes:
    """Undo gzip (several members too); ValueError when broken or larger than `max_bytes`."""
    made = bytearray()
    rest = data
    while rest:
        engine = zlib.decompressobj(wbits=31)
        try:
            made += engine.decompress(rest, max_bytes - len(made) + 1)
        except zlib.error as error:
            raise ValueError(f"not valid gzip: {error}") from error
        if len(made) > max_bytes:
            raise ValueError(f"more than {max_bytes} bytes after decompression")
        if not engine.eof:
            raise ValueError("gzip data ends early")
        rest = engine.unused_data if engine.unused_data.startswith(_GZIP) else b""
    return bytes(made)


def inflate(data: bytes, max_bytes: int) -> bytes:
    """The content of gzip data, or of a zip with exactly one file; anything else as it is."""
    if data.startswith(_GZIP):
        return gunzip(data, max_bytes)
    if len(data) > max_bytes:
        raise ValueError(f"more than {max_bytes} bytes")
    return data


def is_zip(data: bytes) -> bool:
    """Whether the bytes start like a zip archive."""
    return data.startswith(_ZIP)


def zip_entries(data: bytes) -> zipfile.ZipFile:
    """The zip, opened; ValueError when it lists more files than any feed has. One of ZIP_ERRORS
    when it is none."""
    # Counted before they are read: each listed file costs a kilobyte of memory.
    if data.count(_LISTED) > _MAX_LISTED:
        raise ValueError(f"more than {_MAX_LISTED} files in the zip")
    return zipfile.ZipFile(io.BytesIO(data))


def zip_members(
    data: bytes, max_bytes: int, wanted: Callable[[str], bool] = bool
) -> dict[str, bytes]:
    """The files of a zip by their path; ValueError when broken or larger than `max_bytes` in all.

    Files whose path is not `wanted` are passed over. Sizes are counted while reading: what the
    archive claims about itself is not believed.
    """
    members: dict[str, bytes] = {}
    left = max_bytes
    try:
        with zip_entries(data) as archive:
            for info in archive.infolist():
                if info.is_dir() or not wanted(info.filename):
                    continue
                if len(members) >= MAX_MEMBERS:
                    raise ValueError(f"more than {MAX_MEMBERS} files in the zip")
                with archive.open(info) as stream:
                    content = stream.read(left + 1)
                left -= len(content)
                if left < 0:
                    raise ValueError(f"more than {max_bytes} bytes after decompression")
                members[info.filename] = content
    except ZIP_ERRORS as error:
        raise ValueError(f"not a readable zip: {error or type(error).__name__}") from error
    return members


def tar_members(data: bytes, max_bytes: int) -> Iterator[tuple[str, bytes]]:
    """Regular files of a tar (plain or gzip) in order; ValueError when broken or too large."""
    plain = inflate(data, max_bytes)
    left = max_bytes
    try:
        with tarfile.open(fileobj=io.BytesIO(plain), mode="r:") as archive:
            for number, info in enumerate(archive):
                if number >= MAX_MEMBERS:
                    raise ValueError(f"more than {MAX_MEMBERS} files in the tar")
                if not info.isfile():
                    continue
                # A sparse file of some bytes may say that it is terabytes of zeros.
                left -= info.size
                if info.size < 0 or left < 0:
                    raise ValueError(f"more than {max_bytes} bytes in the files of the tar")
                stream = archive.extractfile(info)
                if stream is not None:
                    yield info.name, stream.read()
    except (tarfile.TarError, *_TAR_ERRORS) as error:
        raise ValueError(f"not a readable tar: {error or type(error).__name__}") from error


def text(data: bytes) -> tuple[str, str]:
    """Decoded text and the encoding: UTF-8 (with or without mark), UTF-16 by its mark, else
    whichever of cp1250, ISO 8859-2 and cp1251 it looks like by its letters."""
    if data.startswith(b"\xef\xbb\xbf"):
        return data.decode("utf-8-sig", errors="replace"), "utf-8-sig"
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16", errors="replace"), "utf-16"
    try:
        return data.decode("utf-8"), "utf-8"
    except UnicodeDecodeError:
        return _legacy(data)


def _legacy(data: bytes) -> tuple[str, str]:
    head = data[:200_000]
    if _is_cyrillic(head):
        name = "cp1251"
    else:
        central, latin2 = (
            sum(head.decode(code, errors="replace").lower().count(letter) for letter in _CZECH)
            for code in ("cp1250", "iso8859-2")
        )
        # They differ in š, ť, ž, ą, ś, ź alone; the bytes 0x80 to 0x9f are letters in one of them.
        name = "iso8859-2" if latin2 > central and not _C1.search(head) else "cp1250"
    return data.decode(name, errors="replace"), name


def _is_cyrillic(head: bytes) -> bool:
    """Whether the words with letters beyond ASCII have no others, as in Cyrillic; in a central
    European language most have both, however many ids and URLs are around."""
    whole = mixed = 0
    for word in _WORD.findall(head):
        if word.isascii():
            continue
        if _LATIN.search(word):
            mixed += len(word)
        elif len(word) > 1:
            whole += len(word)
    text = head.decode("cp1251", errors="replace").lower()
    return whole > mixed and sum(text.count(letter) for letter in _CYRILLIC) > whole // 2
