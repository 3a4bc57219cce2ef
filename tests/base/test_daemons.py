"""Threads that are used again, for work that may never end."""

from __future__ import annotations

import threading
from collections import deque

import pytest

from rynek.base import daemons

WAIT = 20.0


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(daemons, "_idle", deque())


def _ran() -> threading.Thread:
    """The thread that some work ran in."""
    ran: list[threading.Thread] = []
    done = threading.Event()

    def work() -> None:
        ran.append(threading.current_thread())
        done.set()

    daemons.start(work)
    assert done.wait(WAIT)
    return ran[0]


def _run() -> threading.Thread:
    """The thread that some work ran in, idle again."""
    thread = _ran()
    while not daemons._idle:
        threading.Event().wait(0.001)
    return thread


def test_a_thread_that_is_done_is_used_again() -> None:
    first = _run()
    assert first.daemon
    assert _run() is first


def test_work_that_does_not_end_holds_up_no_other() -> None:
    gate, begun = threading.Event(), threading.Event()

    def stuck() -> None:
        begun.set()
        gate.wait(WAIT)

    daemons.start(stuck)
    assert begun.wait(WAIT)
    other = _run()
    assert other.is_alive()
    assert len(daemons._idle) == 1
    gate.set()


def test_a_thread_that_nobody_wants_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(daemons, "_IDLE_SECONDS", 0.05)
    thread = _ran()
    thread.join(WAIT)
    assert not thread.is_alive()
    assert not daemons._idle
    assert _ran() is not thread


def test_work_that_comes_while_a_thread_is_about_to_end_is_done(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(daemons, "_IDLE_SECONDS", 0.0005)
    done = threading.Semaphore(0)
    for _ in range(2_000):
        daemons.start(done.release)
    for _ in range(2_000):
        assert done.acquire(timeout=WAIT)
