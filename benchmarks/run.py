"""`make bench [JOB=…]`: measures each job in benchmarks/jobs and prints a table.

A job has `requests(count)`: the HTTP requests to repeat against a server with `count` entities.
`COMPARED = True`: its answers are compared with a bare app that sends as many bytes;
`PER_REQUEST`: entities in one request. The docstring's first line says what it is. A job with
`run(options)` starts and prints its own and returns how many requests failed; one that is `LONG`
runs only when it is named.
"""

from __future__ import annotations

import argparse
import importlib
import statistics
import sys
from pathlib import Path
from types import ModuleType

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks import entities, server
from benchmarks.load import Load, drive, http

JOBS = sorted(path.stem for path in (Path(__file__).parent / "jobs").glob("*.py"))


def main() -> None:
    """Parse the arguments, run the jobs, print."""
    options = _options()
    every = {name: importlib.import_module(f"benchmarks.jobs.{name}") for name in JOBS}
    named = options.job or [name for name, job in every.items() if not getattr(job, "LONG", False)]
    jobs = {name: every[name] for name in named}
    plain = {name: job for name, job in jobs.items() if not hasattr(job, "run")}
    print(
        f"{options.entities:,} entities, {options.connections} connections, medians of "
        f"{options.rounds} × {options.seconds:g} s\n"
    )
    print("| job | requests/s | entities/s | p50 ms | p99 ms | of a bare app |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    failed = 0
    if plain:
        with server.rynek() as port:
            entities.fill(port, options.entities)
            for name, job in plain.items():
                failed += _measure(name, job, port, options)
    for job in jobs.values():
        if hasattr(job, "run"):
            failed += job.run(options)
    if failed:
        sys.exit(f"{failed} requests failed: the figures mean nothing")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("job", nargs="*", help=f"of {', '.join(JOBS)}; default all")
    parser.add_argument("--entities", type=int, default=10_000)
    parser.add_argument("--connections", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--crash-seconds", type=float, default=0, help="of the job crash; 300")
    parser.add_argument("--past-rows", type=int, default=10_000_000, help="of the job temporal")
    parser.add_argument("--past", type=Path, help="a data folder that benchmarks.past filled")
    options = parser.parse_args()
    unknown = sorted(set(options.job) - set(JOBS))
    if unknown:
        parser.error(f"no such job: {', '.join(unknown)}; there are {', '.join(JOBS)}")
    return options


def _measure(name: str, job: ModuleType, port: int, options: argparse.Namespace) -> int:
    requests = job.requests(options.entities)
    runs = _rounds(port, requests, options)
    rate = statistics.median(run.per_second for run in runs)
    share = "" if not getattr(job, "COMPARED", False) else f"{_share(rate, runs[0], options):.0%}"
    per_request = getattr(job, "PER_REQUEST", 0)
    many = f"{rate * per_request:,.0f}" if per_request else ""
    p50, p99 = (
        statistics.median(getattr(run, key) for run in runs) for key in ("p50_ms", "p99_ms")
    )
    print(f"| {name} | {rate:,.0f} | {many} | {p50:.2f} | {p99:.2f} | {share} |", flush=True)
    return sum(run.failed for run in runs)


def _share(rate: float, run: Load, options: argparse.Namespace) -> float:
    with server.bare() as port:
        runs = _rounds(port, [http("GET", f"/{run.body_bytes}")], options)
    return rate / statistics.median(one.per_second for one in runs)


def _rounds(port: int, requests: list[bytes], options: argparse.Namespace) -> list[Load]:
    return [
        drive(port, requests, options.connections, options.seconds) for _ in range(options.rounds)
    ]


if __name__ == "__main__":
    main()
