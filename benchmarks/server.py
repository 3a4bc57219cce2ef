"""Starts what is measured as its own process on the first core, and stops it again."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
_PROCESSES: dict[int, int] = {}


def cpu_seconds(port: int) -> float:
    """The processor time that the server on `port` has used so far."""
    fields = Path(f"/proc/{_PROCESSES[port]}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    """A port of the loopback interface that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _pin() -> None:
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


@contextlib.contextmanager
def _running(command: list[str], port: int, path: str, env: dict[str, str]) -> Iterator[int]:
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=os.environ | env,
            stdout=output,
            stderr=subprocess.STDOUT,
            preexec_fn=_pin,  # noqa: PLW1509  one thread so far
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
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def wait(process: subprocess.Popen[bytes], url: str, seconds: float = 30.0) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if process.poll() is not None:
            raise RuntimeError(f"{process.args!r} ended with status {process.returncode}")
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError(f"no answer from {url} within {seconds:g} s")


@contextlib.contextmanager
def bare() -> Iterator[int]:
    """benchmarks/bare.py on granian; its port."""
    port = free_port()
    command = [sys.executable, "-m", "granian", "--interface", "asgi", "--no-ws", "--port"]
    command += [str(port), "benchmarks.bare:app"]
    with _running(command, port, "/2", {}) as ready:
        yield ready


@contextlib.contextmanager
def rynek(data: Path | None = None) -> Iterator[int]:
    """`rynek serve` on an empty data folder (or `data`) where anyone may write; its port."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="rynek-bench-") as folder:
        command = [sys.executable, "-c", "from rynek.cli import main; main()", "serve"]
        command += ["--data", str(data or folder), "--port", str(port)]
        env = {"RYNEK_ACCESS_ANONYMOUS": "write", "RYNEK_LOG_LEVEL": "warning"}
        with _running(command, port, "/ngsi-ld/v1/types", env) as ready:
            yield ready
