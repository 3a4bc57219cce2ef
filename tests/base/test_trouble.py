"""Something that fails again and again is told once, waited for longer and longer, and counted."""

from __future__ import annotations

import logging

import pytest

from rynek.base.trouble import Trouble


def test_it_is_told_when_it_begins_changes_and_ends(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    trouble = Trouble("the table", logging.getLogger("rynek.test"), shortest=1.0, longest=3.0)
    pauses = [trouble.note(OSError("full")) for _ in range(4)]
    assert pauses == [1.0, 2.0, 3.0, 3.0]
    assert trouble.error == "OSError: full"
    trouble.note(OSError("gone"))
    assert [record.levelname for record in caplog.records] == ["ERROR", "ERROR"]
    assert trouble.seconds >= 0.0
    trouble.over()
    trouble.over()
    assert (trouble.error, trouble.seconds, trouble.times) == ("", 0.0, 5)
    assert [record.levelname for record in caplog.records][2:] == ["WARNING"]
    assert trouble.note(OSError("full")) == 1.0
