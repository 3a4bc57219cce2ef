"""`make fuzz`: coverage-guided fuzzing with atheris (libFuzzer), one process a target.

    python -m tests.fuzz.run [TARGET …] [--seconds N]

Seeds come from the recorded data; what is found to be interesting stays in build/fuzz/<target>/ and is
begun with the next time. What is found to be wrong is written to build/fuzz/found/ and told with the
command that runs it again; put it into tests/fuzz/kept/<target>/ as a test.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
BUILD = ROOT / "build" / "fuzz"
SECONDS_ONE = 10
MEGABYTES = 2048
_NOISE = ("INFO: ", "WARNING: ", "#")
_DONE = re.compile(r"(?:Done|#)(\d+)")


def main() -> int:
    """Run the targets that are named, or all; 1 when one of them found something."""
    options = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0] if __doc__ else None)
    options.add_argument("targets", nargs="*")
    options.add_argument("--seconds", type=int, default=60, help="for each target")
    options.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    options.add_argument(
        "--again", type=Path, help="run one target over one file, without a fuzzer"
    )
    given, rest = options.parse_known_args()
    if given.inside:
        inside(given.targets[0], given.seconds, rest)
        return 0
    from tests.fuzz.targets import TARGETS

    unknown = [name for name in given.targets if name not in TARGETS]
    if unknown:
        print(f"no target {unknown[0]!r}; there are: {', '.join(TARGETS)}")
        return 2
    if given.again is not None:
        TARGETS[given.targets[0]].run(given.again.read_bytes())
        return 0
    results = [_run(name, given.seconds) for name in given.targets or TARGETS]
    return 1 if any(results) else 0


def _run(name: str, seconds: int) -> bool:
    """Fuzz one target in a process of its own; whether something was found."""
    command = [sys.executable, "-m", "tests.fuzz.run", name, "--seconds", str(seconds), "--inside"]
    environment = os.environ | {"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}", "PYTHONHASHSEED": "0"}
    # A hang inside of a library in C is not seen by the fuzzer, which waits for Python.
    limit = ["timeout", "-k", "5", str(seconds * 2 + 300)]
    process = subprocess.run(
        [*limit, *command], cwd=ROOT, env=environment, capture_output=True, text=True,
        errors="replace", check=False,
    )  # fmt: skip
    output = process.stdout + process.stderr
    runs = max((int(number) for number in _DONE.findall(output)), default=0)
    print(
        f"{name:<14} {runs:>10,} runs in {seconds} s  {'FOUND' if process.returncode else 'ok'}",
        flush=True,
    )
    if process.returncode:
        lines = [line for line in output.splitlines() if not line.startswith(_NOISE)]
        print("\n".join(lines[-70:]))
        print(f"again: PYTHONPATH=src python -m tests.fuzz.run {name} --again FILE")
    return process.returncode != 0


def inside(name: str, seconds: int, rest: list[str]) -> None:
    """The fuzzer itself: instruments our code while it is imported, then runs until time is up."""
    import atheris

    with atheris.instrument_imports(include=["rynek", "openpyxl"], enable_loader_override=False):
        from tests.fuzz.targets import TARGETS
    target = TARGETS[name]
    corpus, found = BUILD / name, BUILD / "found"
    corpus.mkdir(parents=True, exist_ok=True)
    found.mkdir(parents=True, exist_ok=True)
    kept = Path(__file__).parent / "kept" / name
    for seed in (*target.seeds(), *(file.read_bytes() for file in kept.glob("*"))):
        (corpus / hashlib.sha1(seed).hexdigest()).write_bytes(seed)
    if target.words:
        words = BUILD / f"{name}.words"
        words.write_text("".join(f'"{_escaped(word)}"\n' for word in target.words))
        rest = [f"-dict={words}", *rest]
    arguments = [
        sys.argv[0], str(corpus), f"-max_total_time={seconds}", f"-timeout={SECONDS_ONE}",
        f"-rss_limit_mb={MEGABYTES}", f"-artifact_prefix={found}/{name}-",
        "-max_len=32768", "-print_final_stats=1", "-verbosity=1", *rest,
    ]  # fmt: skip
    atheris.Setup(arguments, target.run)
    atheris.Fuzz()


def _escaped(word: str) -> str:
    """A word of a libFuzzer dictionary."""
    return "".join(
        chr(byte) if 32 < byte < 127 and byte not in b'"\\' else f"\\x{byte:02X}"
        for byte in word.encode("utf-8", "surrogatepass")
    )


if __name__ == "__main__":
    sys.exit(main())
