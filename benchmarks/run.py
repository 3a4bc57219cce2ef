"""`make bench [JOB=…]`: measures the jobs in benchmarks/jobs and prints one table.

A job has `requests(data)`: the HTTP requests to send in turn to a server that holds `data`. It may
have `CONNECTIONS`; `PER_REQUEST`, entities in one request; `TARGET`; `WRITES = True`: it gets a
server of its own; `prepare(port, data)`: what to do first. A job with `run(options)` starts its own
servers and yields its results; one that is `LONG` runs only when it is named. The docstring's first
line says what a job is. A RuntimeError fails the whole run: a figure beside errors means nothing.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Final, Literal

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))
sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks import cores, entities, kept, results, server, wrk
from benchmarks.entities import Data
from benchmarks.load import http
from benchmarks.measure import Measuring, driver
from benchmarks.results import Result, Run

_OTHERS: Final[dict[Literal["granian", "alone"], str]] = {
    "granian": "granian as rynek embeds it for TLS",
    "alone": "granian stand-alone",
}

JOBS = sorted(path.stem for path in (Path(__file__).parent / "jobs").glob("*.py"))
FIRST = ("get", "list", "filter_selective", "filter", "near", "create", "patch")


def main() -> None:
    """Parse the arguments, run the jobs, print."""
    options = _options()
    cores.take_precedence()
    os.sched_setaffinity(0, {cores.LOAD})
    before = results.read(options.against) if options.against else None
    jobs = _jobs(options)
    data = entities.of(options.entities, options.scale)
    run = Run(
        data=data.name,
        machine=results.machine("wrk" if wrk.available() else "our own generator"),
        options=f"{options.connections} connections, medians of {options.rounds} × "
        f"{options.seconds:g} s",
    )
    if not wrk.available():
        print(f"{wrk.HOW_TO_GET}.\n")
    print(f"{run.data}; {run.options}; {run.machine.told()}.\n\n{results.table_head()}", flush=True)
    for result in _measured(jobs, data, options):
        run.results.append(result)
        print(results.row(result), flush=True)
    if options.json:
        results.write(options.json, run)
    if options.markdown:
        results.put_table(options.markdown, options.section, run)
    if before is not None:
        print("\n" + results.compared(before, run))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("job", nargs="*", help=f"of {', '.join(JOBS)}; default all short ones")
    parser.add_argument("--entities", type=int, default=100_000, help="vehicles in the store")
    parser.add_argument("--scale", choices=sorted(entities.SCALES), help="a city's mix instead")
    parser.add_argument("--connections", type=int, default=50)
    parser.add_argument("--seconds", type=float, help="of a round; 5, or as a job has it")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep the results")
    parser.add_argument("--against", type=Path, metavar="FILE", help="print what changed since")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the table there")
    parser.add_argument("--section", default="figures", help="of a page that --markdown fills")
    parser.add_argument("--rows", type=int, default=10_000_000, help="readings of the past")
    options = parser.parse_args()
    options.given_seconds = options.seconds
    options.seconds = options.seconds or 5.0
    unknown = sorted(set(options.job) - set(JOBS))
    if unknown:
        parser.error(f"no such job: {', '.join(unknown)}; there are {', '.join(JOBS)}")
    return options


def _jobs(options: argparse.Namespace) -> dict[str, ModuleType]:
    names = [*FIRST, *(name for name in JOBS if name not in FIRST)]
    every = {name: importlib.import_module(f"benchmarks.jobs.{name}") for name in names}
    if options.job:
        return {name: every[name] for name in options.job}
    return {name: job for name, job in every.items() if not getattr(job, "LONG", False)}


def _measured(
    jobs: dict[str, ModuleType], data: Data, options: argparse.Namespace
) -> Iterator[Result]:
    plain = {name: job for name, job in jobs.items() if not hasattr(job, "run")}
    if plain:
        for on, told in _OTHERS.items():
            with server.bare(on) as other:
                yield _other(other, told, options)
        with server.bare() as bare:
            yield from _plain(plain, data, Measuring(bare, options))
    for job in jobs.values():
        if hasattr(job, "run"):
            yield from job.run(options)


def _plain(jobs: dict[str, ModuleType], data: Data, measuring: Measuring) -> Iterator[Result]:
    """Jobs that read share a server; each of the others gets its own."""
    reading = {name: job for name, job in jobs.items() if not getattr(job, "WRITES", False)}
    if reading:
        with kept.copy_of(data) as folder, server.rynek(folder) as port:
            for name, job in reading.items():
                yield measuring.job(name, job, port, data)
    for name, job in jobs.items():
        if name not in reading:
            with kept.copy_of(data) as folder, server.rynek(folder) as port:
                yield measuring.job(name, job, port, data)


def _other(port: int, told: str, options: argparse.Namespace) -> Result:
    """For information: 600 bytes from another server, on the same core."""
    with driver([http("GET", "/600")]) as drive:
        seen = drive(port, options.connections, 2.0)
    return Result(
        job=f"bare, {told}",
        unit="/s",
        value=seen.per_second,
        p99_ms=seen.p99_ms,
        note="for information; ratios are to rynek's own server",
    )


if __name__ == "__main__":
    main()
