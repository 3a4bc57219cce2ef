"""Structured logging over the standard library: lines for people, or one JSON object a line.

Modules use `logging.getLogger(__name__)` and give facts through `extra={"feed": name}`; both
formats print them, and the id of the request that is being answered. Values of secret-looking fields and credentials in URLs never reach the log.
"""

from __future__ import annotations

import logging
import os
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Literal, TextIO

import orjson

from rynek.base.request import request_id

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_NAMES = r"token|secret|passw(?:or)?d|passphrase|authorization|api[_-]?key|credentials?"
_SECRET_FIELD = re.compile(_NAMES, re.IGNORECASE)
_USERINFO = re.compile(r"(?<=://)[^/\s@]+@")
_PARAMETER = re.compile(
    rf"([?&;](?:[\w-]*(?:{_NAMES})|key|sig|signature)=)[^&;#\s\"']+", re.IGNORECASE
)
_BEARER = re.compile(r"\b(Bearer|Basic)\s+[A-Za-z0-9._~+/=-]{6,}")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_HANDLER = "rynek"
_INT64 = 2**63
_PRIORITIES = (
    (logging.CRITICAL, "<2>"),
    (logging.ERROR, "<3>"),
    (logging.WARNING, "<4>"),
    (logging.INFO, "<6>"),
    (0, "<7>"),
)


def setup(
    level: str = "info",
    form: Literal["text", "json"] = "text",
    stream: TextIO | None = None,
    file: logging.Handler | None = None,
) -> None:
    """Send the log of the whole process to `stream` (standard error), and to `file` beside it; may
    be called again."""
    root = logging.getLogger()
    for old in [known for known in root.handlers if known.get_name() == _HANDLER]:
        root.removeHandler(old)
        if isinstance(old, logging.FileHandler):
            old.close()
    stream = stream or sys.stderr
    lines = JsonLines() if form == "json" else TextLines()
    for handler in filter(None, (logging.StreamHandler(stream), file)):
        handler.set_name(_HANDLER)
        to_journal = handler is not file and _is_journal(stream)
        handler.setFormatter(JournalLines(lines) if to_journal else lines)
        root.addHandler(handler)
    root.setLevel(level.upper())
    for chatty in ("httpx", "httpcore"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def redact(text: str) -> str:
    """`text` without user:password@ in URLs, secret query parameters and bearer tokens."""
    # Colours first: within a word they would hide it from what follows.
    text = _COLOUR.sub("", text.encode("utf-8", "backslashreplace").decode())
    text = _USERINFO.sub("***@", text)
    text = _PARAMETER.sub(r"\1***", text)
    return _BEARER.sub(r"\1 ***", text)


class TextLines(logging.Formatter):
    """`2026-11-22 10:00:00 WARNING rynek.feeds: message  feed=kyiv error="no answer"`."""

    def format(self, record: logging.LogRecord) -> str:
        """One line, plus the traceback where there is one."""
        moment = datetime.fromtimestamp(record.created).strftime("%Y-%m-%d %H:%M:%S")
        head = f"{moment} {record.levelname:<7} {record.name}: {_message(record)}"
        facts = " ".join(f"{name}={_plain(value)}" for name, value in _facts(record))
        line = f"{head}  {facts}" if facts else head
        if not record.exc_info:
            return line
        trace = redact(self._trace(record)).split("\n")
        return "\n".join([line, *map(one_line, trace)])

    def _trace(self, record: logging.LogRecord) -> str:
        return self.formatException(record.exc_info) if record.exc_info else ""


class JsonLines(TextLines):
    """One JSON object a line: time (ISO 8601 UTC), level, logger, message, facts, exception."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as JSON without a line break."""
        moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        entry: dict[str, object] = dict(_facts(record))
        entry |= {
            "time": moment.replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _message(record),
        }
        if record.exc_info:
            entry["exception"] = redact(self._trace(record))
        line = orjson.dumps(entry, default=str).decode()
        return _CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", line)


class JournalLines(logging.Formatter):
    """The lines of another format, each with how severe it is (sd-daemon(3)): what
    `journalctl -p warning` goes by."""

    def __init__(self, lines: logging.Formatter) -> None:
        super().__init__()
        self._lines = lines

    def format(self, record: logging.LogRecord) -> str:
        """The record's lines with their priority."""
        mark = next(mark for level, mark in _PRIORITIES if record.levelno >= level)
        return "\n".join(mark + line for line in self._lines.format(record).split("\n"))


def _is_journal(stream: TextIO) -> bool:
    """Whether a stream leads to systemd's journal, which says so by its device and inode."""
    try:
        status = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"


def _message(record: logging.LogRecord) -> str:
    return one_line(redact(record.getMessage()))


def one_line(text: str) -> str:
    """`text` without colours, other control characters as escapes: it can hold bytes from outside,
    and one record stays one line that does nothing to the terminal it is read on."""
    return _CONTROL.sub(lambda found: _escaped(found[0]), _COLOUR.sub("", text))


def _escaped(character: str) -> str:
    return {"\n": "\\n", "\r": "\\r", "\t": "\t"}.get(character, f"\\x{ord(character):02x}")


def _facts(record: logging.LogRecord) -> Iterator[tuple[str, object]]:
    for name, value in vars(record).items():
        if name in _STANDARD or name.startswith("_"):
            continue
        if _SECRET_FIELD.search(name):
            yield name, "***"
        elif value is None or (isinstance(value, int | float) and abs(value) < _INT64):
            yield name, value
        else:
            yield name, redact(str(value))
    asked = request_id()
    if asked:
        yield "request", asked


def _plain(value: object) -> str:
    text = redact(str(value))
    quoted = not text or any(mark in text for mark in ' "=\n\r\t')
    return one_line(orjson.dumps(text).decode() if quoted else text)
