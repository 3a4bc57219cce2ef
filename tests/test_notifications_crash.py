"""The service is killed while it notifies a receiver that refuses half: nothing is lost."""

from pathlib import Path

from benchmarks import crash


def test_nothing_is_lost_or_out_of_order_over_a_kill(tmp_path: Path) -> None:
    """The short form of `make bench JOB=crash`."""
    seen = crash.run(tmp_path, seconds=2.0, rate=200, entities=100, fail=0.5, drain=20, retry=0.02)
    assert seen.written > 100
    assert seen.refused > 50
    assert seen.lost == []
    assert seen.disordered == []
    assert seen.taken >= seen.written
