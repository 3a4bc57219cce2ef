"""The load generator wrk, driven by lua/replay.lua: how it is found, started and read."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec
from benchmarks import cores
from benchmarks.load import Load

SCRIPT = Path(__file__).parent / "lua" / "replay.lua"
HOW_TO_GET = (
    "wrk was not found (Debian, Ubuntu: apt install wrk; Fedora: dnf install wrk): the load comes"
    " from a generator of our own in Python, which a fast server outruns; rates of reads are too low"
)
_MARK = "rynek "


class Summary(msgspec.Struct):
    """What wrk tells at the end, as the script prints it; times in microseconds."""

    requests: int
    duration_us: int
    bytes: int
    p50_us: int
    p90_us: int
    p99_us: int
    max_us: int
    connect: int
    read: int
    write: int
    status: int
    timeout: int

    @property
    def failed(self) -> int:
        """Answers of 400 and above, and connections that failed in whatever way."""
        return self.connect + self.read + self.write + self.status + self.timeout

    def told(self) -> str:
        """What failed, in words; empty when nothing did."""
        kinds = ("connect", "read", "write", "status", "timeout")
        found = {kind: getattr(self, kind) for kind in kinds}
        return ", ".join(f"{count} × {kind}" for kind, count in found.items() if count)


def available() -> bool:
    """Whether wrk is on PATH."""
    return shutil.which("wrk") is not None


def parse(output: str) -> Summary:
    """The script's line in wrk's output; RuntimeError that shows the output when it is not there
    or tells no answer at all."""
    lines = [line for line in output.splitlines() if line.startswith(_MARK)]
    if len(lines) != 1:
        raise RuntimeError(f"wrk did not come to its end: {output[-2000:]}")
    try:
        summary = msgspec.json.decode(lines[0][len(_MARK) :], type=Summary)
    except msgspec.MsgspecError as error:
        raise RuntimeError(f"wrk's summary cannot be read ({error}): {lines[0]}") from error
    if not summary.requests or not summary.duration_us:
        raise RuntimeError(f"the server answered nothing: {summary.told() or output[-2000:]}")
    return summary


def framed(requests: Sequence[bytes]) -> Iterator[bytes]:
    """The file that the script reads, piece by piece."""
    for request in requests:
        yield b"%d\n" % len(request)
        yield request


@contextmanager
def prepared(requests: Sequence[bytes]) -> Iterator[Path]:
    """The requests as a file that `drive` takes."""
    with tempfile.TemporaryDirectory(prefix="rynek-wrk-") as folder:
        path = Path(folder) / "requests"
        with path.open("wb") as file:
            file.writelines(framed(requests))
        yield path


def drive(
    port: int, path: Path, connections: int, seconds: float, *, start: int = 0, number: int = 0
) -> Load:
    """Send what `prepared` wrote for `seconds` (whole ones, at least one), from request `start`
    on; `number` is where numbers begin that the requests leave open."""
    whole = max(1, round(seconds))
    command = ["wrk", "--threads", "1", "--connections", str(connections), "--duration"]
    command += [f"{whole}s", "--timeout", "10s", "--script", str(SCRIPT)]
    command += [f"http://127.0.0.1:{port}/", "--", str(path), str(start), str(number)]
    done = subprocess.run(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=whole + 60,
        check=False,
        preexec_fn=lambda: os.sched_setaffinity(0, {cores.LOAD}),
    )
    summary = parse(done.stdout)
    took = summary.duration_us / 1e6
    return Load(
        per_second=summary.requests / took,
        requests=summary.requests,
        body_bytes=summary.bytes // summary.requests,
        p50_ms=summary.p50_us / 1000,
        p99_ms=summary.p99_us / 1000,
        failed=summary.failed,
        told=summary.told(),
    )
