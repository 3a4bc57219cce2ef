"""`rynek index` and `rynek reference`: what they print, write and refuse."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

from click.testing import CliRunner, Result

from rynek.base.folder import DataFolder
from rynek.cli.main import cli

TABLE = "code,name,region,jobs,people\n" + "".join(
    f"u{n},Town {n},{'NS'[n % 2]},{100 + 37 * n % 200},1000\n" for n in range(12)
)
SPEC = """
id = "work"
name = { en = "Work", uk = "Праця" }
runs = 50
[table]
file = "towns.csv"
unit = "code"
name = "name"
group = "region"
[[indicators]]
id = "jobs"
column = "jobs"
denominator = "people"
error = { relative = 0.2 }
[sensitivity]
samples = 16
"""


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, [str(argument) for argument in arguments])


def lay_out(folder: Path) -> Path:
    (folder / "towns.csv").write_text(TABLE)
    (folder / "index.toml").write_text(SPEC)
    return folder / "index.toml"


def test_run_prints_json_and_words(tmp_path: Path) -> None:
    spec = lay_out(tmp_path)
    found = json.loads(run("index", "run", spec, "--json").stdout)
    assert len(found["units"]) == 12
    assert {"score", "rank", "rank_interval", "share_of_variants_first"} <= set(found["units"][0])
    assert found["variance"]["choices"]["errors"]["total"] > 0.9
    words = run("index", "run", spec).stdout
    assert words.startswith("Work\n")
    assert "can't be told apart from" in words
    assert "no probabilities" in words
    assert {path.name for path in tmp_path.iterdir()} == {"towns.csv", "index.toml"}


def test_a_region_that_leads_by_few_cities_is_said_to(tmp_path: Path) -> None:
    """Every variant has S first; as a sample of cities that says little, and the words say so."""
    spec = lay_out(tmp_path)
    (tmp_path / "towns.csv").write_text(
        "code,name,region,jobs,people\n"
        + "".join(f"n{n},N{n},N,{100 + 90 * n},1000\n" for n in range(4))
        + "".join(f"s{n},S{n},S,{140 + 90 * n},1000\n" for n in range(4))
    )
    spec.write_text(SPEC.replace("relative = 0.2", "relative = 0.01"))
    found = json.loads(run("index", "run", spec, "--json").stdout)
    (first,) = (row for row in found["groups"] if row["rank"] == 1)
    assert (first["rank_interval"], first["population_rank_interval"]) == ([1, 1], [1, 2])
    words = run("index", "run", spec).stdout
    assert "S is ahead of every other in these variants" in words
    assert "as a sample, score" in words
    assert "       1-1        1-2  " in words
    assert "seen as a sample of what it brings forth, it can't be told apart from N" in words


def test_run_refuses_with_the_cell(tmp_path: Path) -> None:
    spec = lay_out(tmp_path)
    (tmp_path / "towns.csv").write_text(TABLE.replace("u3,Town 3,S,211,1000", "u3,Town 3,S,211,0"))
    result = run("index", "run", spec)
    assert result.exit_code == 1
    assert "row 4 (u3), column 'people' is 0" in str(result.exception)


def test_publish_keeps_versions_and_a_backup_has_them(tmp_path: Path) -> None:
    spec, data = lay_out(tmp_path), tmp_path / "data"
    folder = DataFolder(data)
    folder.open()
    folder.close()
    assert "work version 1: 12 units" in run("index", "publish", spec, "--data", data).stdout
    again = run("index", "publish", spec, "--data", data).stdout
    assert "version 1: 12 units, as it was already" in again
    spec.write_text(SPEC.replace("seed = 0", "").replace("runs = 50", "runs = 60"))
    assert "work version 2" in run("index", "publish", spec, "--data", data).stdout
    assert run("backup", tmp_path / "b.tar", "--data", data).exit_code == 0
    with tarfile.open(tmp_path / "b.tar") as archive:
        assert "indicators.db" in archive.getnames()


def test_publish_needs_a_name_for_the_address(tmp_path: Path) -> None:
    spec = lay_out(tmp_path)
    spec.write_text(SPEC.replace('"work"', '"Work 1"'))
    result = run("index", "publish", spec, "--data", tmp_path / "data")
    assert "'Work 1' is no name for an address" in str(result.exception)


def test_reference_tables_go_in_and_out(tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text("Source of data,Eurostat\nCITIES/TIME,2008,2009\nBrno,5,:\n")
    data = tmp_path / "data"
    told = run("reference", "import", "eurostat-urb-ctran", tmp_path / "s.csv", "--data", data)
    assert "eurostat-urb-ctran version 1: 1 rows" in told.stdout
    assert "period: 2008-2009" in told.stdout
    assert "eurostat-urb-ctran" in run("reference", "list", "--data", data).stdout
    (row,) = json.loads(run("reference", "list", "--json", "--data", data).stdout)
    assert (row["rows"], row["told"]) == (1, {"Source of data": "Eurostat"})
    text = run("reference", "export", "eurostat-urb-ctran", "--data", data).stdout
    assert text == "key,2008,2009\nBrno,5,\n"
    file = tmp_path / "out.csv"
    run("reference", "export", "eurostat-urb-ctran", "--data", data, "--output", file)
    assert file.read_text() == text
    assert "ua-hromadas" in run("reference", "list", "--sources").stdout
    assert "is --data right" in run("reference", "list", "--data", tmp_path / "no").output
