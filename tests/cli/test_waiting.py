"""What commands say while they are busy."""

from __future__ import annotations

import io
import threading

from rynek.cli.waiting import waiting


class Terminal(io.StringIO):
    """A terminal that tells when something was written to it."""

    def __init__(self) -> None:
        super().__init__()
        self.written = threading.Event()

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        count = super().write(text)
        self.written.set()
        return count


def test_a_terminal_is_told_what_is_done_and_the_line_goes_again() -> None:
    terminal = Terminal()
    with waiting("checking", terminal, after=0.0) as say:
        assert terminal.written.wait(30)
        say("kyiv, file 3 of 40")
        terminal.written.clear()
        assert terminal.written.wait(30)
    shown = terminal.getvalue().split("\r\x1b[K")
    assert shown[1] == "checking … 0 s"
    assert any(line.startswith("checking: kyiv, file 3 of 40 … ") for line in shown)
    assert shown[-1] == "", "what follows begins on an empty line"


def test_what_is_done_soon_says_nothing() -> None:
    terminal = Terminal()
    with waiting("checking", terminal, after=600.0) as say:
        say("kyiv")
    assert terminal.getvalue() == ""


def test_a_file_is_told_nothing() -> None:
    file = io.StringIO()
    with waiting("checking", file, after=0.0) as say:
        say("kyiv")
    assert file.getvalue() == ""
