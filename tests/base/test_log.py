"""The log: two formats, facts beside the message, no secrets, one record a line."""

import io
import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest

from rynek.base import log


@pytest.fixture(autouse=True)
def restore() -> Iterator[None]:
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    yield
    root.setLevel(level)
    root.handlers[:] = handlers


def written(form: Literal["text", "json"], message: str, **facts: object) -> str:
    stream = io.StringIO()
    log.setup("info", form, stream)
    logging.getLogger("rynek.test").warning(message, extra=facts)
    return stream.getvalue()


def test_text_shows_message_and_facts() -> None:
    line = written("text", "no answer", feed="kyiv", status=503, why="timed out")
    assert line.endswith('WARNING rynek.test: no answer  feed=kyiv status=503 why="timed out"\n')


def test_json_is_one_object_a_line() -> None:
    line = written("json", "no\nanswer", feed="kyiv", status=503, big=2**80)
    entry = json.loads(line)
    assert line.count("\n") == 1
    assert entry["level"] == "warning"
    assert entry["logger"] == "rynek.test"
    assert entry["feed"] == "kyiv"
    assert entry["status"] == 503
    assert entry["big"] == str(2**80)
    assert entry["time"].endswith("Z")


@pytest.mark.parametrize("form", ["text", "json"])
def test_outside_text_cannot_forge_a_line(form: Literal["text", "json"]) -> None:
    assert written(form, "bad \r\n record", name_of="a\nb", odd="\ud800").count("\n") == 1


def test_outside_text_does_nothing_to_a_terminal() -> None:
    line = written(
        "text", "\x1b[31m↳\x1b[0m cleared \x1b[2J \x9b2J", feed="\x1b[2J", why="a \x9b2J"
    )
    assert "↳ cleared \\x1b[2J \\x9b2J  " in line
    assert not {character for character in line[:-1] if not character.isprintable()}


def test_the_journal_is_told_how_severe_each_line_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (tmp_path / "journal").open("w+") as stream:
        status = os.fstat(stream.fileno())
        monkeypatch.setenv("JOURNAL_STREAM", f"{status.st_dev}:{status.st_ino}")
        log.setup("info", "text", stream)
        logging.getLogger("rynek.test").info("begins")
        try:
            raise RuntimeError("broken")
        except RuntimeError:
            logging.getLogger("rynek.test").exception("failed")
        monkeypatch.delenv("JOURNAL_STREAM")
        log.setup("info", "text", stream)
        logging.getLogger("rynek.test").error("elsewhere")
        stream.seek(0)
        lines = stream.read().splitlines()
    assert [line[:3] for line in lines] == ["<6>", *["<3>"] * (len(lines) - 2), lines[-1][:3]]
    assert lines[-1].startswith("20")


@pytest.mark.parametrize("form", ["text", "json"])
def test_secrets_are_left_out(form: Literal["text", "json"]) -> None:
    line = written(
        form,
        "GET https://me:hunter2@example.org/f?api_key=hunter2&x=1 Authorization: Bearer hunter2",
        access_token="hunter2",
        url="https://example.org/?key=hunter2",
        headers={"Authorization": "Bearer hunter2"},
    )
    assert "hunter2" not in line
    assert "x=1" in line


def test_exceptions_keep_their_traceback_without_secrets() -> None:
    stream = io.StringIO()
    log.setup("info", "json", stream)
    try:
        raise RuntimeError("https://a:hunter2@example.org")
    except RuntimeError:
        logging.getLogger("rynek.test").exception("failed")
    entry = json.loads(stream.getvalue())
    assert "RuntimeError" in entry["exception"]
    assert "hunter2" not in entry["exception"]


def test_setup_twice_logs_once() -> None:
    first, second = io.StringIO(), io.StringIO()
    log.setup("info", "text", first)
    log.setup("error", "text", second)
    logging.getLogger("rynek.test").error("once")
    logging.getLogger("rynek.test").info("never")
    assert first.getvalue() == ""
    assert second.getvalue().count("\n") == 1


def test_colours_hide_no_secret() -> None:
    for message in ("Bearer \x1b[33mabcdefghij123", "GET /x?to\x1b[mken=abcdefghij123"):
        assert "abcdefghij123" not in written("text", message)


def test_facts_in_json_move_no_terminal() -> None:
    line = written("json", "heard", said="a\x9b31m")
    assert "\x9b" not in line
    assert json.loads(line)["said"] == "a\x9b31m"
