"""What was measured, as a table, as JSON, and compared with an earlier run."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import msgspec
from benchmarks import cores

_HEAD: Final = "| job | median | p99 ms | CPU s per 1,000 | memory MB | of bare | of bare, CPU | target | met |"
_RULE: Final = "| --- | ---: | ---: | ---: | ---: | ---: | ---: | --- | --- |"


class Target(msgspec.Struct, frozen=True):
    """What a figure must reach: `of_bare` and `at_least` from below, `at_most` from above."""

    of_bare: float | None = None
    at_least: float | None = None
    at_most: float | None = None


class Result(msgspec.Struct, kw_only=True):
    """One row. `value` is the median of the rounds in `unit`; `cpu_s` the server's processor seconds
    for 1,000 requests, `memory_mb` its highest anonymous memory meanwhile; `of_bare` the share of
    what the bare app answers in the same run, `of_bare_cpu` the bare app's processor time for a
    request as a share of this one's, which other load on the machine moves less."""

    job: str
    unit: str
    value: float
    p99_ms: float | None = None
    cpu_s: float | None = None
    memory_mb: float | None = None
    of_bare: float | None = None
    of_bare_cpu: float | None = None
    target: Target = Target()
    note: str = ""
    rounds: list[float] = []

    def met(self) -> bool | None:
        """Whether every part of the target is reached; None where there is none."""
        told = []
        if self.target.of_bare is not None and self.of_bare is not None:
            told.append(round(self.of_bare, 2) >= self.target.of_bare)
        if self.target.at_least is not None:
            told.append(self.value >= self.target.at_least)
        if self.target.at_most is not None:
            told.append(self.value <= self.target.at_most)
        return all(told) if told else None


class Machine(msgspec.Struct, kw_only=True):
    """Where it was measured."""

    cores: int
    python: str
    granian: str
    sqlite: str
    load: str

    def told(self) -> str:
        return (
            f"{self.cores} cores, Python {self.python}, granian {self.granian}, SQLite "
            f"{self.sqlite}; load by {self.load}"
        )


class Run(msgspec.Struct, kw_only=True):
    """Everything of one call of run.py."""

    data: str
    machine: Machine
    options: str
    results: list[Result] = []
    failed: int = 0


def machine(load: str) -> Machine:
    """This one."""
    import apsw
    import granian

    return Machine(
        cores=len(cores.ALL),
        python=platform.python_version(),
        granian=granian.__version__,
        sqlite=apsw.sqlite_lib_version(),
        load=load,
    )


def table_head() -> str:
    """The first two lines of the table."""
    return f"{_HEAD}\n{_RULE}"


def row(result: Result) -> str:
    """One line of the table."""
    met = {True: "yes", False: "**no**", None: ""}[result.met()]
    note = f" ({result.note})" if result.note else ""
    cells = [
        result.job + note,
        f"{_number(result.value)} {result.unit}",
        _optional(result.p99_ms, "{:.2f}"),
        _optional(result.cpu_s, "{:.3f}"),
        _optional(result.memory_mb, "{:,.0f}"),
        _optional(result.of_bare, "{:.2f}"),
        _optional(result.of_bare_cpu, "{:.2f}"),
        _wanted(result),
        met,
    ]
    return "| " + " | ".join(cells) + " |"


def markdown(run: Run) -> str:
    """The whole table as docs/benchmarks.md has it."""
    lines = [f"{run.data}; {run.options}; {run.machine.told()}.", "", table_head()]
    return "\n".join([*lines, *map(row, run.results)]) + "\n"


def put_table(path: Path, section: str, run: Run) -> None:
    """Write the table to a file of its own, or in a page between `<!-- SECTION -->` and
    `<!-- end of SECTION -->`; exits with a message when a page has no such section."""
    table = markdown(run)
    if path.suffix != ".md" or not path.exists():
        path.write_text(table)
        return
    text = path.read_text()
    begin, end = f"<!-- {section} -->\n", f"<!-- end of {section} -->"
    if begin not in text or end not in text:
        sys.exit(f"{path} has no section {begin.strip()} … {end}")
    before, _, rest = text.partition(begin)
    path.write_text(f"{before}{begin}\n{table}\n{end}{rest.partition(end)[2]}")


def write(path: Path, run: Run) -> None:
    """Keep a run for `compared`."""
    path.write_bytes(msgspec.json.format(msgspec.json.encode(run), indent=1) + b"\n")


def read(path: Path) -> Run:
    """A kept run; exits with a message when it cannot be read."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Run)
    except (OSError, msgspec.MsgspecError) as error:
        sys.exit(f"{path}: {error}")


def compared(before: Run, now: Run) -> str:
    """What changed, job by job: the figure, and processor time where there is any."""
    lines = ["| job | before | now | change | CPU before | CPU now | change |"]
    lines += ["| --- | ---: | ---: | ---: | ---: | ---: | ---: |"]
    if before.data != now.data or before.machine != now.machine:
        lines.insert(0, f"Not alike: {before.data}; {before.machine.told()} before.\n")
    known = {(one.job, one.unit): one for one in before.results}
    for one in now.results:
        old = known.get((one.job, one.unit))
        if old is not None:
            lines.append("| " + " | ".join(_changes(old, one)) + " |")
    return "\n".join(lines) + "\n"


def _changes(old: Result, new: Result) -> Iterable[str]:
    yield new.job
    yield f"{_number(old.value)} {old.unit}"
    yield f"{_number(new.value)} {new.unit}"
    yield _change(old.value, new.value)
    yield _optional(old.cpu_s, "{:.3f}")
    yield _optional(new.cpu_s, "{:.3f}")
    yield _change(old.cpu_s, new.cpu_s)


def _change(old: float | None, new: float | None) -> str:
    return f"{new / old - 1:+.0%}" if old and new is not None else ""


def _wanted(result: Result) -> str:
    target = result.target
    told: Sequence[str] = [
        f"≥ {target.of_bare:.2f} of bare" if target.of_bare is not None else "",
        f"≥ {_number(target.at_least)}" if target.at_least is not None else "",
        f"≤ {_number(target.at_most)}" if target.at_most is not None else "",
    ]
    return ", ".join(filter(None, told))


def _optional(value: float | None, form: str) -> str:
    return "" if value is None else form.format(value)


def _number(value: float) -> str:
    if value == int(value) or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.2f}" if abs(value) < 10 else f"{value:.1f}"
