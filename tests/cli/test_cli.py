"""The command line: what each command prints, writes, refuses."""

import gzip
import json
import re
import tarfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from rynek.base.folder import DataFolder
from rynek.cli.main import cli

COMMANDS = (
    "serve", "demo", "feed", "import", "export", "backup", "restore", "token", "history", "doctor",
    "practice",
)  # fmt: skip
BUS = {
    "id": "urn:ngsi-ld:Bus:1",
    "type": "Bus",
    "speed": {"type": "Property", "value": 31.5, "observedAt": "2026-01-01T10:00:00Z"},
    "location": {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [30.5, 50.4]}},
}


def run(*arguments: str | Path) -> Result:
    """`rynek …` in this process."""
    return CliRunner().invoke(cli, [str(argument) for argument in arguments])


def run_well(*arguments: str | Path) -> str:
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


def said(result: Result) -> str:
    return result.output + (str(result.exception) if result.exception else "")


@pytest.fixture
def lines(tmp_path: Path) -> Path:
    file = tmp_path / "in.jsonl"
    file.write_text(json.dumps(BUS) + "\n\n" + json.dumps(BUS | {"id": "urn:ngsi-ld:Bus:2"}) + "\n")
    return file


def test_help_names_every_command_and_teaches() -> None:
    told = run_well("--help")
    assert all(f"\n  {command} " in told for command in COMMANDS)
    for command in COMMANDS:
        assert f"Usage: rynek {command}" in run_well(command, "--help").replace("cli", "rynek", 1)
    shown = (
        "demo",
        "feed",
        "import",
        "export",
        "backup",
        "restore",
        "indicator",
        "index",
        "survey",
    )
    for command in shown:
        assert re.search(r"^ *Examples:\n", run_well(command, "--help"), re.MULTILINE)


def test_every_command_is_documented() -> None:
    told = (Path(__file__).parents[2] / "docs" / "cli.md").read_text("utf-8")
    for name, command in cli.commands.items():
        assert f"rynek {name}" in told
        for inner in getattr(command, "commands", {}):
            assert f"rynek {name} {inner}" in told


def check_json(*arguments: str | Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run_well("feed", "check", "--json", *arguments))
    return found


def test_feed_check_tells_programs(data: Path) -> None:
    told = check_json(
        data / "gtfs_rt/poznan/2026-01-28T150359Z_vehicle_positions.pb", "--kind", "gtfs_rt"
    )
    assert (told["kind"], told["records"], told["entities"]) == ("gtfs_rt", 544, {"Vehicle": 544})
    assert {"code", "severity", "count", "example"} == set(told["findings"][0])


def test_feed_check_recognises_and_uses_a_mapping(data: Path) -> None:
    assert check_json(data / "gtfs/plzen_pmdp_2026-02-09.zip")["kind"] == "gtfs"
    told = check_json(
        data / "waste/sofia_containers/RKP.csv", "--mapping", "sofia_waste_containers"
    )
    assert told["entities"] == {"WasteContainer": 614}


def test_feed_check_takes_the_city_s_bounds(data: Path, tmp_path: Path) -> None:
    city = tmp_path / "tenants" / "far" / "city.toml"
    city.parent.mkdir(parents=True)
    city.write_text('name = "Far"\nbounds = [0.0, 0.0, 1.0, 1.0]\n')
    told = check_json(
        data / "gtfs_rt/poznan/2026-01-28T150359Z_vehicle_positions.pb",
        "--tenant", "far", "--data", tmp_path,
    )  # fmt: skip
    outside = [each["count"] for each in told["findings"] if each["code"] == "position-outside"]
    assert outside == [544]


def test_feed_check_of_something_else_fails(tmp_path: Path) -> None:
    (tmp_path / "x.pb").write_bytes(b"not protobuf")
    result = run("feed", "check", tmp_path / "x.pb", "--kind", "gtfs_rt", "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["findings"][0]["code"] == "unreadable"
    assert run("feed", "check", tmp_path / "none").exit_code == 1
    assert "unknown kind" in said(run("feed", "check", tmp_path / "x.pb", "--kind", "fax"))


def test_feeds_are_added_listed_and_removed(data: Path, tmp_path: Path) -> None:
    where = ("--tenant", "sofia", "--data", tmp_path)
    source = data / "waste/sofia_containers/RKP.csv"
    told = run_well(
        "feed", "add", "bins", "--source", source, "--mapping", "sofia_waste_containers", *where
    )
    file = tmp_path / "tenants" / "sofia" / "feeds" / "bins.toml"
    assert f"written: {file}" in told
    assert 'kind = "tabular"' in file.read_text()
    listed = json.loads(run_well("feed", "list", "--json", "--data", tmp_path))
    assert [(one["tenant"], one["name"], one["problem"]) for one in listed] == [
        ("sofia", "bins", "")
    ]
    again = run("feed", "add", "bins", "--source", source, *where)
    assert again.exit_code == 1 and "--replace" in said(again)
    run_well("feed", "remove", "bins", *where)
    assert not file.exists()
    assert run("feed", "remove", "bins", *where).exit_code == 1


def test_a_table_is_added_only_with_a_mapping_which_check_proposes(tmp_path: Path) -> None:
    table, mapping = tmp_path / "bins.csv", tmp_path / "bins.toml"
    table.write_text("id,lon,lat,level\nA1,23.32,42.69,40\nA2,23.33,42.70,75\n")
    asked = ("feed", "add", "bins", "--data", tmp_path / "data", "--source")
    for source, more in ((table, ()), ("webhook:", ("--kind", "tabular"))):
        refused = run(*asked, source, *more)
        assert refused.exit_code == 1
        assert "--propose > mapping.toml" in said(refused) and "--no-check" in said(refused)
        assert not (tmp_path / "data" / "tenants").exists()
    proposed = run_well("feed", "check", table, "--propose")
    assert proposed in run_well("feed", "check", table)
    mapping.write_text(proposed)
    assert check_json(table, "--mapping", mapping)["entities"] == {"Device": 2}
    assert run("feed", "check", table, "--mapping", mapping, "--propose").exit_code == 1
    run_well(*asked, table, "--mapping", mapping)
    run_well(*asked, table, "--no-check", "--replace", "--kind", "tabular")


def test_a_feed_that_cannot_be_read_is_added_only_unchecked(tmp_path: Path) -> None:
    asked = ("feed", "add", "x", "--kind", "gbfs", "--source", str(tmp_path / "none.json"))
    where = ("--data", str(tmp_path / "data"))
    refused = run(*asked, *where)
    assert refused.exit_code == 1 and "--no-check" in said(refused)
    assert not (tmp_path / "data" / "tenants").exists()
    run_well(*asked, *where, "--no-check")


@pytest.mark.parametrize(
    ("more", "why"),
    [
        (["--kind", "gbfs", "--option", "nothing"], "KEY=VALUE"),
        (["--kind", "gbfs", "--option", "nothing=1"], "unknown option"),
        (["--kind", "gbfs", "--bounds", "1,2,3"], "west,south,east,north"),
        (["--kind", "gbfs", "--every", "0"], "every must be between"),
        (["--kind", "gbfs", "--tenant", "../x"], "no tenant's name"),
        (["--kind", "gbfs", "--tenant", "poznań"], "no tenant's name"),
        (["--kind", "gbfs", "--tenant", "x" * 65], "no tenant's name"),
        ([], "name the kind"),
    ],
)
def test_wrong_feeds_are_refused_with_a_reason(tmp_path: Path, more: list[str], why: str) -> None:
    asked = ("feed", "add", "x", "--source", "webhook:", "--data", tmp_path)
    result = run(*asked, *more)
    assert result.exit_code == 1
    assert why in said(result)


def test_entities_go_in_and_out_unchanged(tmp_path: Path, lines: Path) -> None:
    folder = tmp_path / "data"
    assert "2 entities" in run_well("import", lines, "--data", folder)
    packed = tmp_path / "out.jsonl.gz"
    assert "2 entities" in run_well("export", packed, "--data", folder)
    first = [json.loads(line) for line in gzip.decompress(packed.read_bytes()).splitlines()]
    assert first[0] == BUS
    run_well("import", packed, "--data", tmp_path / "copy")
    run_well("export", tmp_path / "again.jsonl", "--data", tmp_path / "copy")
    again = [json.loads(line) for line in (tmp_path / "again.jsonl").read_text().splitlines()]
    assert again == first


def test_refused_entities_are_listed(tmp_path: Path) -> None:
    file = tmp_path / "in.jsonl"
    file.write_text(json.dumps(BUS) + '\n{"id": "not a uri", "type": "Bus"}\n')
    result = run("import", file, "--data", tmp_path / "data")
    assert result.exit_code == 1
    assert "refused: not a uri" in said(result) and "1 entities were refused" in said(result)
    file.write_text('{"id": \n')
    assert "line 1" in said(run("import", file, "--data", tmp_path / "data"))


def test_readings_go_in_and_out_once(tmp_path: Path, lines: Path) -> None:
    folder = tmp_path / "data"
    run_well("import", lines, "--data", folder)
    table = tmp_path / "readings.parquet"
    told = run_well("export", table, "--data", folder)
    rows = pq.read_table(table)
    assert f"{rows.num_rows} readings" in told
    speeds = [r for r in rows.to_pylist() if r["attr"].endswith("/speed")]
    assert [one["number"] for one in speeds] == [31.5, 31.5]
    copy = tmp_path / "copy"
    assert f"{rows.num_rows} new readings" in run_well("import", table, "--data", copy)
    assert "0 new readings" in run_well("import", table, "--data", copy)
    run_well("export", tmp_path / "now.jsonl", "--data", copy)
    now = [json.loads(line) for line in (tmp_path / "now.jsonl").read_text().splitlines()]
    assert now[0]["speed"]["value"] == 31.5


def test_other_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "x.xml").write_text("<x/>")
    assert "jsonl" in said(run("import", tmp_path / "x.xml"))
    assert "jsonl" in said(run("export", tmp_path / "y.xml"))
    (tmp_path / "x.parquet").write_text("no parquet")
    wrong = run("import", tmp_path / "x.parquet", "--data", tmp_path / "data")
    assert wrong.exit_code == 1


def test_a_folder_in_use_points_to_the_server(tmp_path: Path, lines: Path) -> None:
    lock = DataFolder(tmp_path / "data")
    lock.open()
    for arguments in (("import", lines), ("export", tmp_path / "out.jsonl")):
        result = run(*arguments, "--data", tmp_path / "data")
        assert result.exit_code == 1 and "--server" in said(result)
    lock.close()


def test_backup_and_restore(tmp_path: Path, lines: Path) -> None:
    folder, tar = tmp_path / "data", tmp_path / "b.tar"
    run_well("import", lines, "--data", folder)
    run_well("token", "create", "office", "--data", folder)
    run_well("backup", tar, "--data", folder)
    with tarfile.open(tar) as archive:
        names = archive.getnames()
    assert not any("lock" in name or "-wal" in name for name in names)
    run_well("restore", tar, "--data", tmp_path / "r")
    assert "office" in run_well("token", "list", "--data", tmp_path / "r")
    for name, where in (("a", folder), ("b", tmp_path / "r")):
        run_well("export", tmp_path / f"{name}.jsonl", "--data", where)
        run_well("export", tmp_path / f"{name}.parquet", "--data", where)
    assert (tmp_path / "a.jsonl").read_bytes() == (tmp_path / "b.jsonl").read_bytes()
    assert pq.read_table(tmp_path / "a.parquet").equals(pq.read_table(tmp_path / "b.parquet"))


def test_restore_asks_before_it_replaces(tmp_path: Path, lines: Path) -> None:
    folder, tar = tmp_path / "data", tmp_path / "b.tar"
    run_well("import", lines, "--data", folder)
    run_well("backup", tar, "--data", folder)
    refused = run("restore", tar, "--data", folder)
    assert refused.exit_code == 1 and "not empty" in said(refused)
    (folder / "extra").write_text("x")
    CliRunner().invoke(cli, ["restore", str(tar), "--force", "--data", str(folder)], input="n\n")
    assert (folder / "extra").exists()
    run_well("restore", tar, "--force", "--yes", "--data", folder)
    assert not (folder / "extra").exists()


def test_restore_of_something_else_leaves_the_folder(tmp_path: Path, lines: Path) -> None:
    folder, other = tmp_path / "data", tmp_path / "other.tar"
    run_well("import", lines, "--data", folder)
    with tarfile.open(other, "w") as archive:
        archive.add(lines, "in.jsonl")
    wrong = run("restore", other, "--force", "--yes", "--data", folder)
    assert wrong.exit_code == 1 and "no backup" in said(wrong)
    assert (folder / "format").exists()
    other.write_bytes(b"no tar")
    assert run("restore", other, "--data", tmp_path / "new").exit_code == 1
    assert not (tmp_path / "new").exists()


def test_backup_of_no_data_folder(tmp_path: Path) -> None:
    result = run("backup", tmp_path / "b.tar", "--data", tmp_path / "none")
    assert result.exit_code == 1
    assert "no data folder" in said(result)


def test_tokens_end_or_are_refused(tmp_path: Path) -> None:
    where = ("--data", tmp_path / "data")
    for days in ("0", "-1", "nan", "inf", "1e9"):
        result = run("token", "create", "x", "--days", days, *where)
        assert result.exit_code == 1 and "days must be above 0" in said(result)
    for scope in ("write:", "write:a b", "write:*", "all"):
        result = run("token", "create", "x", "--scope", scope, *where)
        assert result.exit_code == 1 and "scope" in said(result)
    assert "no tokens" in run_well("token", "list", *where)
    run_well("token", "create", "a", "--days", "0.5", "--scope", "write:kyiv", *where)
    run_well("token", "create", "b", *where)
    ends, stays = run_well("token", "list", *where).splitlines()
    assert "write:kyiv" in ends and "until 20" in ends
    assert "until revoked" in stays
    run_well("token", "revoke", "a", *where)
    assert run("token", "revoke", "a", *where).exit_code == 1


def test_looking_for_tokens_makes_no_folder(tmp_path: Path) -> None:
    for arguments in (("list",), ("revoke", "x")):
        result = run("token", *arguments, "--data", tmp_path / "none")
        assert result.exit_code == 1 and "system.db" in said(result)
    assert not (tmp_path / "none").exists()


def test_folders_made_by_commands_are_private(tmp_path: Path, lines: Path) -> None:
    run_well("token", "create", "x", "--data", tmp_path / "a")
    run_well("import", lines, "--data", tmp_path / "b")
    asked = ("feed", "add", "x", "--kind", "gbfs", "--source", tmp_path / "n.json", "--no-check")
    run_well(*asked, "--data", tmp_path / "c")
    assert [(tmp_path / name).stat().st_mode & 0o777 for name in "abc"] == [0o700] * 3


def test_an_empty_history_is_exported_as_an_empty_table(tmp_path: Path, lines: Path) -> None:
    table = tmp_path / "readings.parquet"
    assert "0 readings" in run_well("export", table, "--data", tmp_path / "data")
    rows = pq.read_table(table)
    assert rows.num_rows == 0
    assert "0 new readings" in run_well("import", table, "--data", tmp_path / "data")
    run_well("import", lines, "--data", tmp_path / "data")
    run_well("export", tmp_path / "some.parquet", "--data", tmp_path / "data")
    assert pq.read_table(tmp_path / "some.parquet").schema == rows.schema


def test_doctor_says_what_to_do(tmp_path: Path, lines: Path) -> None:
    folder = tmp_path / "data"
    run_well("import", lines, "--data", folder)
    (folder / "tenants" / "default" / "feeds").mkdir()
    (folder / "tenants" / "default" / "feeds" / "x.toml").write_text("kind = 1\n")
    result = run("doctor", "--json", "--data", folder)
    assert result.exit_code == 1
    found = {one["what"]: one for one in json.loads(result.stdout)}
    assert found["data folder"]["state"] == "ok"
    assert found["default: live picture"]["state"] == "ok"
    assert found["default: history"]["state"] == "ok"
    assert found["default: feed x"]["state"] == "bad" and found["default: feed x"]["advice"]


def test_doctor_sees_damage(tmp_path: Path, lines: Path) -> None:
    folder = tmp_path / "data"
    run_well("import", lines, "--data", folder)
    state = folder / "tenants" / "default" / "state.db"
    whole = bytearray(state.read_bytes())
    whole[4096 : 4096 * 3] = b"\xff" * 8192
    state.write_bytes(whole)
    next((folder / "tenants/default/history/readings").rglob("part-*.parquet")).unlink()
    found = {
        one["what"]: one for one in json.loads(run("doctor", "--json", "--data", folder).stdout)
    }
    assert found["default: history"]["state"] == "bad"
    assert {one["what"] for one in found.values() if one["state"] == "bad"} & {
        "default",
        "default: live picture",
    }


def test_doctor_of_nothing(tmp_path: Path) -> None:
    found = json.loads(run("doctor", "--json", "--data", tmp_path / "none").stdout)
    assert next(one for one in found if one["what"] == "data folder")["state"] == "note"
    run_well("token", "create", "first", "--data", tmp_path / "new")
    assert "holds tokens, and no city yet" in run("doctor", "--data", tmp_path / "new").stdout


def test_a_city_that_is_not_there_is_not_exported(tmp_path: Path, lines: Path) -> None:
    run_well("import", lines, "--data", tmp_path / "data")
    for name in ("readings.parquet", "all.jsonl"):
        result = run("export", tmp_path / name, "--tenant", "nocity", "--data", tmp_path / "data")
        assert result.exit_code == 1
        assert "no city 'nocity'" in said(result) and "default" in said(result)
        assert not (tmp_path / name).exists()
    assert not (tmp_path / "data" / "tenants" / "nocity").exists()


def test_a_history_whose_log_is_damaged_is_not_repaired_but_named(
    tmp_path: Path, lines: Path
) -> None:
    folder = tmp_path / "data"
    run_well("import", lines, "--data", folder)
    other = run("history", "repair", "--yes", "--tenant", "nocity", "--data", folder)
    assert other.exit_code == 1 and "default" in said(other)
    state = folder / "tenants" / "default" / "state.db"
    state.write_bytes(b"\xff" * 100 + state.read_bytes()[100:])
    result = run("history", "repair", "--yes", "--data", folder)
    assert result.exit_code == 1
    assert "state.db" in said(result) and "Traceback" not in said(result)


def test_indicators_come_from_the_folder_also_beside_a_service(tmp_path: Path) -> None:
    rows = [
        {
            "entity_id": "urn:ngsi-ld:BikeHireDockingStation:x:1",
            "type": "BikeHireDockingStation",
            "attr": "availableBikeNumber",
            "kind": "Property",
            "number": float(hour % 2),
            "observed_at": f"2026-03-02T{hour:02}:00:00Z",
        }
        for hour in range(24)
    ]
    table = pa.Table.from_pylist(rows)
    moments = table.column("observed_at").cast(pa.timestamp("us", tz="UTC"))
    table = table.set_column(table.schema.get_field_index("observed_at"), "observed_at", moments)
    pq.write_table(table, tmp_path / "readings.parquet")
    folder = tmp_path / "data"
    run_well("import", tmp_path / "readings.parquet", "--tenant", "x", "--data", folder)
    city = ("--tenant", "x", "--data", folder, "--period", "2026-03-02")
    lock = DataFolder(folder)
    lock.open()
    try:
        told = json.loads(
            run_well("indicator", "compute", "bike-stations-empty", "--json", "--things", *city)
        )
    finally:
        lock.close()
    assert told[0]["value"] == pytest.approx(50)
    assert told[0]["coverage"] == pytest.approx(1)
    assert told[0]["by_thing"][0]["readings"] == 24
    assert told[0]["provenance"]["entities_in_all"] == 1
    assert "not enough data" in run_well("indicator", "compute", "no2-mean", *city)
    (tmp_path / "kpi.jsonl").write_text(
        run_well("indicator", "compute", "bike-stations-empty", "no2-mean", "--entities", *city)
    )
    run_well("import", tmp_path / "kpi.jsonl", "--tenant", "x", "--data", folder)
    run_well("export", tmp_path / "all.jsonl", "--tenant", "x", "--data", folder)
    entities = map(json.loads, (tmp_path / "all.jsonl").read_text().splitlines())
    kpis = [one for one in entities if one["type"] == "KeyPerformanceIndicator"]
    assert [one["id"] for one in kpis] == [
        "urn:ngsi-ld:KeyPerformanceIndicator:x:bike-stations-empty:daily"
    ]
    value = kpis[0]["kpiValue"]
    assert (value["value"], value["unitCode"]) == (pytest.approx(50), "P1")
    assert value["observedAt"].startswith("2026-03-03T00:00:00")
    assert kpis[0]["derived"]["value"] is True
    assert kpis[0]["derivedFrom"]["value"]["readings"] == 24
    explained = run_well("indicator", "explain", "bike-stations-empty", "--language", "cs", *city)
    assert "Čas, kdy jsou stanice kol prázdné" in explained
    assert "24 readings of 1 things" in explained
    assert "no indicator 'x'" in str(run("indicator", "explain", "x").exception)
    listed = json.loads(run_well("indicator", "list", "--json"))
    assert {"en", "pl", "cs", "bg", "uk", "sr"} == set(listed[0]["name"])
    assert "SELECT" not in explained
    assert "SELECT" in run_well("indicator", "explain", "bike-stations-empty", "--sql", *city)
    in_json = json.loads(run_well("indicator", "explain", "bike-stations-empty", "--json", *city))
    assert "SELECT" in in_json["values"][0]["provenance"]["query"]
    assert in_json["definition"]["id"] == "bike-stations-empty"
    every = run_well("indicator", "compute", *city)
    assert "no2-mean" not in every
    left_out = len(listed) - sum(line.startswith(("bike", "silent", "data")) for line in every.splitlines())  # fmt: skip
    assert f"{left_out} more have no things here" in every
    assert "no2-mean" in run_well("indicator", "compute", "--all", *city)
    (tmp_path / "towns.toml").write_text(
        'id = "towns"\ntitle = "Towns"\nkey = "town"\n[[columns]]\nname = "people"\n'
        'column = "people"\nmeans = "population"\nperiod = "2025"\n'
    )
    (tmp_path / "towns.csv").write_text("town,people\nHradec,50000\n")
    tables = (tmp_path / "towns.toml", tmp_path / "towns.csv")
    run_well("reference", "import", *tables, "--data", folder)
    per_head = run_well("indicator", "explain", "bikes-per-100000", *city, "--known-as", "Hradec")
    assert "): 1 bikes per 100,000 inhabitants" in per_head  # half a bike on average
    assert "population 50000 of 2025 (towns version 1, Hradec)" in per_head
    (folder / "tenants" / "x" / "city.toml").write_text('name = "Hradec"\nknown_as = ["Hradec"]\n')
    assert json.loads(run_well("indicator", "compute", "bikes-per-100000", "--json", *city))[0][
        "per"
    ]["year"] == 2025  # fmt: skip
    (folder / "tenants" / "_service" / "history").mkdir(parents=True, exist_ok=True)
    for words in (("--tenant", "y"), ()):
        missing = run("indicator", "compute", *words, "--data", folder)
        assert missing.exit_code == 1
        assert "there is one of x: --tenant x" in said(missing)


def test_who_looks_in_a_folder_that_is_not_there_is_told_of_the_demo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    demo, nowhere = tmp_path / "cache" / "rynek" / "demo", tmp_path / "nowhere"
    reads = [
        ("practice", "list"), ("practice", "search", "bins"), ("survey", "list"),
        ("reference", "list"), ("token", "list"), ("indicator", "compute"),
    ]  # fmt: skip
    for words in reads:
        told = said(run(*words, "--data", nowhere))
        assert str(nowhere) in told
        assert "demo" not in told
    demo.mkdir(parents=True)
    (demo / "format").write_text("1")
    for words in reads:
        result = run(*words, "--data", nowhere)
        assert result.exit_code == 1
        assert f"the demo's folder is {demo}: --data {demo}" in said(result)
    assert not nowhere.exists()
