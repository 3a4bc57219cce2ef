"""What the benchmarks' figures rest on: the generator, wrk's summary, the comparison of runs."""

from __future__ import annotations

import math
import shutil
from collections import Counter
from pathlib import Path

import pytest
from benchmarks import entities, results, wrk
from benchmarks.batches import upserts
from benchmarks.entities import Data, entity, position
from benchmarks.results import Machine, Result, Run, Target

_SUMMARY = (
    'rynek {"requests":1000,"duration_us":2000000,"bytes":700000,"p50_us":1500,"p90_us":2000,'
    '"p99_us":9000,"max_us":12000,"connect":0,"read":0,"write":0,"status":3,"timeout":1}'
)


def test_an_entity_depends_on_its_number_and_seed_alone() -> None:
    assert entity(7, 3) == entity(7, 3)
    assert entity(7, 3)["speed"]["value"] != entity(7, 4)["speed"]["value"]
    assert {key for key in entity(7, 3) if entity(7, 3)[key] != entity(7, 4)[key]} == {"speed"}


def test_the_places_of_a_moving_entity_are_as_far_apart_as_said() -> None:
    for step_m in (50, 5000):
        for number in range(50):
            (lon, lat), (lon2, lat2) = (position(number, place, step_m) for place in (3, 4))
            east = (lon2 - lon) * 111_320 * math.cos(math.radians(lat))
            assert math.hypot(east, (lat2 - lat) * 111_320) == pytest.approx(step_m, rel=0.03)


def test_a_capital_has_the_counted_number_of_each_kind_with_ids_of_their_own() -> None:
    data = entities.of(0, "town")
    every = [data.entity(number) for number in range(data.count)]
    assert Counter(one["type"] for one in every) == entities.SCALES["town"]
    assert len({one["id"] for one in every}) == data.count
    assert [data.identifier(number) for number in range(data.count)] == [one["id"] for one in every]
    assert {data.entity(number)["type"] for number in data.of_main(100)} == {data.main.type}
    assert entities.of(0, "capital").count == pytest.approx(300_000, rel=0.02)


def test_values_spread_evenly_so_that_a_filter_leaves_what_it_says() -> None:
    values = [entity(number)["speed"]["value"] for number in range(20_000)]
    assert sum(value > 50 for value in values) == pytest.approx(10_000, rel=0.03)
    assert 5 <= sum(value > 99.9 for value in values) <= 40


def test_runs_of_entities_do_not_overlap() -> None:
    data = Data({"Vehicle": 1000}, "1,000")
    numbers = [number for one in data.ranges(40, 20) for number in one]
    assert len(numbers) == len(set(numbers)) == 800
    assert max(numbers) < 1000


def test_prepared_upserts_change_one_value_at_every_turn() -> None:
    bodies = upserts(Data({"Vehicle": 100}, "100"), 20, requests=10, steps=2)
    assert len(bodies) == 10
    assert len(set(bodies)) == 10


def test_the_summary_is_read() -> None:
    summary = wrk.parse(f"Running 2s test\n  2 threads\n{_SUMMARY}\n")
    assert (summary.requests, summary.p99_us, summary.failed) == (1000, 9000, 4)
    assert summary.told() == "3 × status, 1 × timeout"


@pytest.mark.parametrize(
    "output",
    [
        "unable to connect to 127.0.0.1:1 Connection refused\n",
        _SUMMARY.replace('"requests":1000', '"requests":0'),
        _SUMMARY.replace('"p99_us":9000', '"p99_us":null'),
        f"{_SUMMARY}\n{_SUMMARY}",
        "rynek {",
    ],
)
def test_a_summary_that_says_nothing_fails_the_run(output: str) -> None:
    with pytest.raises(RuntimeError):
        wrk.parse(output)


@pytest.mark.skipif(shutil.which("luajit") is None and shutil.which("wrk") is None, reason="no wrk")
def test_wrk_sends_prepared_requests_and_counts_what_fails() -> None:
    """Against a server that is not there wrk ends without a summary, and that is told."""
    with (
        wrk.prepared([b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"]) as path,
        pytest.raises(RuntimeError, match="connect"),
    ):
        wrk.drive(1, path, 1, 1)


def test_requests_are_framed_by_their_length() -> None:
    assert b"".join(wrk.framed([b"ab", b"c\nd"])) == b"2\nab3\nc\nd"


def _run(value: float, cpu: float) -> Run:
    found = Result(job="get", unit="/s", value=value, cpu_s=cpu, of_bare=0.5)
    made = Machine(cores=2, python="3", granian="2", sqlite="3", load="wrk")
    return Run(data="10 vehicles", machine=made, options="", results=[found])


def test_a_run_is_kept_and_compared(tmp_path: Path) -> None:
    results.write(tmp_path / "before.json", _run(1000, 0.05))
    told = results.compared(results.read(tmp_path / "before.json"), _run(1100, 0.04))
    assert "| get | 1,000 /s | 1,100 /s | +10% | 0.050 | 0.040 | -20% |" in told
    assert "Not alike" not in told


def test_a_target_is_met_only_when_all_of_it_is() -> None:
    found = Result(job="patch", unit="/s", value=2900, of_bare=0.2)
    found.target = Target(of_bare=0.15, at_least=3000)
    assert found.met() is False
    found.value = 3000
    assert found.met() is True
    found.target = Target()
    assert found.met() is None
    assert "≥" not in results.row(found)


def test_a_table_takes_its_place_in_a_page(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# Page\n\n<!-- figures -->\nold\n<!-- end of figures -->\n\nafter\n")
    for _ in range(2):
        results.put_table(page, "figures", _run(1000, 0.05))
    text = page.read_text()
    assert "old" not in text
    assert text.count("| get | 1,000 /s |") == 1
    assert text.startswith("# Page\n") and text.endswith("<!-- end of figures -->\n\nafter\n")
    with pytest.raises(SystemExit, match="no section"):
        results.put_table(page, "other", _run(1000, 0.05))
