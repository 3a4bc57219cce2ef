"""Starts what is measured as a process of its own on the first core, and stops it again."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal

from benchmarks import cores, usage

ROOT = Path(__file__).parents[1]
_PROCESSES: dict[int, int] = {}
# What is measured is this tree, whatever is installed.
_PATHS = os.pathsep.join([str(ROOT / "src"), str(ROOT)])


def pid(port: int) -> int:
    """The process that listens on `port`."""
    return _PROCESSES[port]


def cpu_seconds(port: int) -> float:
    """The processor time that the server on `port` has used so far."""
    return usage.cpu_seconds(_PROCESSES[port])


def keep_loop(port: int) -> None:
    """Keep the thread of the event loop on the server's core; others that there are by now may go on
    running on both.

    The load's processes go before all others on their core, as if they had it to themselves. A loop
    that happens to run there is put aside, and Linux moves it to the idle core only with the next
    tick, 4 ms later: no load from another machine does that to a service.
    """
    os.sched_setaffinity(_PROCESSES[port], {cores.SERVER})


def kill(port: int) -> None:
    """End the server on `port` as kill -9 does."""
    os.kill(_PROCESSES[port], signal.SIGKILL)


def free_port() -> int:
    """A port of the loopback interface that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def _running(
    command: list[str], port: int, path: str, env: Mapping[str, str], where: set[int]
) -> Iterator[int]:
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": _PATHS, **env},
            stdout=output,
            stderr=subprocess.STDOUT,
            preexec_fn=lambda: os.sched_setaffinity(0, where),  # noqa: PLW1509  one thread so far
        )
        _PROCESSES[port] = process.pid
        try:
            wait(process, f"http://127.0.0.1:{port}{path}")
            yield port
        except RuntimeError:
            output.seek(0)
            sys.stderr.buffer.write(output.read()[-4000:])
            raise
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            output.seek(0)
            told = output.read()
            if b"Traceback" in told or b"error" in told:
                sys.stderr.buffer.write(told[-4000:])


def wait(process: subprocess.Popen[bytes], url: str, seconds: float = 60.0) -> None:
    """Until the URL answers, whatever; RuntimeError when the process ends or time is over."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if process.poll() is not None:
            raise RuntimeError(f"{process.args!r} ended with status {process.returncode}")
        try:
            with urllib.request.urlopen(url, timeout=10):
                return
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.01)
    raise RuntimeError(f"no answer from {url} within {seconds:g} s")


@contextlib.contextmanager
def bare(on: Literal["own", "granian", "alone"] = "own") -> Iterator[int]:
    """benchmarks/bare.py on rynek's HTTP server, on granian as rynek embeds it, or on it `alone`."""
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.bare", str(port)]
    if on == "granian":
        command += ["--granian"]
    elif on == "alone":
        command = [sys.executable, "-m", "granian", "--interface", "asgi", "--no-ws"]
        command += ["--log-level", "warning", "--port", str(port), "benchmarks.bare:app"]
    with _running(command, port, "/2", {}, {cores.SERVER}) as ready:
        yield ready


@contextlib.contextmanager
def rynek(
    data: Path | None = None, *, both_cores: bool = False, env: Mapping[str, str] | None = None
) -> Iterator[int]:
    """`rynek serve` on an empty data folder (or `data`) where anyone may write; its port."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="rynek-bench-") as folder:
        command = [sys.executable, "-c", "from rynek.cli import main; main()", "serve"]
        command += ["--data", str(data or folder), "--port", str(port)]
        every = {"RYNEK_ACCESS_ANONYMOUS": "write", "RYNEK_LOG_LEVEL": "warning"} | dict(env or {})
        where = set(cores.ALL) if both_cores else {cores.SERVER}
        with _running(command, port, "/ngsi-ld/v1/types", every, where) as ready:
            yield ready
