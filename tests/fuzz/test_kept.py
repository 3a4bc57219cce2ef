"""Every parser of bytes from outside, in the short form: what fuzzing found before, and a few inputs
that nobody thought of. The long form is `make fuzz`."""

from __future__ import annotations

import time
from functools import lru_cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tests.fuzz.targets import TARGETS

KEPT = Path(__file__).parent / "kept"
SECONDS = 10.0
"""CPU time after which an input counts as one that hangs."""
SHORT = settings(
    deadline=None,
    max_examples=20,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate],
)
SLOW = frozenset({"tabular", "gtfs", "xlsx"})


def check(name: str, data: bytes) -> None:
    started = time.process_time()
    TARGETS[name].run(data)
    assert time.process_time() - started < SECONDS, (name, data[:200])


@pytest.mark.parametrize(
    "path", sorted(KEPT.glob("*/*")), ids=lambda path: f"{path.parent.name}/{path.name}"
)
def test_what_was_found_is_mended(path: Path) -> None:
    check(path.parent.name, path.read_bytes())


@lru_cache(maxsize=32)
def seeds(name: str) -> list[bytes]:
    return list(TARGETS[name].seeds())


@pytest.mark.parametrize("name", TARGETS)
def test_recorded_input_is_read(name: str) -> None:
    found = seeds(name)
    assert found
    for seed in found[:: max(1, len(found) // 10)] if name in SLOW else found:
        check(name, seed)


@pytest.mark.parametrize("name", TARGETS)
def test_mutated_and_arbitrary_input(name: str) -> None:
    begun = seeds(name)
    words = [word.encode("utf-8", "surrogatepass") for word in TARGETS[name].words]
    pieces = st.binary(max_size=4) | st.sampled_from(
        [*words[:60], b"\x00", b"\xff\xff\xff\xff", b'"', b"{", b"[", b"1e999", b"-", b"9" * 30]
    )

    @st.composite
    def mutated(draw: st.DrawFn) -> bytes:
        data = draw(st.sampled_from(begun) | st.binary(max_size=200))
        for _ in range(draw(st.integers(0, 4))):
            at = draw(st.integers(0, len(data)))
            end = draw(st.integers(at, min(len(data), at + draw(st.sampled_from([0, 1, 8, 4000])))))
            data = data[:at] + draw(pieces) * draw(st.sampled_from([1, 1, 2, 50])) + data[end:]
        return data

    @SHORT
    @given(mutated())
    def run(data: bytes) -> None:
        check(name, data)

    run()
