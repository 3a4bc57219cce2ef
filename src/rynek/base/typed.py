"""Values of declared types from JSON, MessagePack and plain values: msgspec, safe from threads.

msgspec (0.22) looks at a Struct's fields when a value of it is first wanted, and marks the class as
known before it is done: another thread that wants a value of the same class meanwhile ends the
process with a segmentation fault. Here each type is looked at once, under a lock.
"""

from __future__ import annotations

import threading
from typing import Any, Final, TypeVar, cast

import msgspec

__all__ = ["convert", "decode", "decode_msgpack", "decoder", "msgpack_decoder"]

T = TypeVar("T")
_lock: Final = threading.Lock()
_known: Final[dict[Any, msgspec.json.Decoder[Any]]] = {}


def decoder(kind: type[T], *, keep: bool = True) -> msgspec.json.Decoder[T]:
    """What decodes JSON as a value of `kind`; one for each type, however often it is asked for.
    Without `keep` a new one, for a type that is made as it is needed and may go again."""
    if not keep:
        with _lock:
            return msgspec.json.Decoder(kind)
    found = _known.get(kind)
    if found is None:
        with _lock:
            found = _known.get(kind)
            if found is None:
                found = _known[kind] = msgspec.json.Decoder(kind)
    return cast("msgspec.json.Decoder[T]", found)


def msgpack_decoder(kind: type[T]) -> msgspec.msgpack.Decoder[T]:
    """What decodes MessagePack as a value of `kind`."""
    decoder(kind)
    return msgspec.msgpack.Decoder(kind)


def decode(data: bytes | str, kind: type[T]) -> T:
    """JSON as a value of `kind`. DecodeError, ValidationError."""
    return decoder(kind).decode(data)


def decode_msgpack(data: bytes, kind: type[T]) -> T:
    """MessagePack as a value of `kind`. DecodeError, ValidationError."""
    decoder(kind)
    return msgspec.msgpack.decode(data, type=kind)


def convert(value: object, kind: type[T], *, strict: bool = True) -> T:
    """A plain value as one of `kind`. ValidationError."""
    decoder(kind)
    return msgspec.convert(value, kind, strict=strict)
