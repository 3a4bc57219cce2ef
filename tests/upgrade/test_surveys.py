"""Surveys of earlier formats: opened, migrated, and answered on by the links of then.

The files are dumps of what the code of then wrote: a survey, a wave, three invitations, one set of
answers that was sent, one that was begun, and (from format 2) a measured figure.
"""

from __future__ import annotations

import json
from pathlib import Path

import apsw
import pytest

from rynek.base.clock import Clock
from rynek.base.sqlite import stored_version
from rynek.indicators import SURVEYS_FILE, Surveys, results
from rynek.indicators.survey.database import MIGRATIONS

FOLDER = Path(__file__).parent / "surveys"
NAMES = sorted(path.stem for path in FOLDER.glob("v*.sql"))
NOW = 1_790_000_100_000_000


class Later(Clock):
    def now(self) -> int:
        return NOW


@pytest.mark.parametrize("name", NAMES)
def test_links_of_then_go_on(name: str, tmp_path: Path) -> None:
    dump = (FOLDER / f"{name}.sql").read_text()
    tokens = json.loads(dump.partition("\n")[0].removeprefix("-- "))["tokens"]
    database = apsw.Connection(str(tmp_path / SURVEYS_FILE))
    database.execute(dump)
    database.close()
    assert stored_version(tmp_path / SURVEYS_FILE) == int(name[1:])
    surveys = Surveys(tmp_path, Later())
    wave = surveys.wave("small")
    assert (wave.results, wave.example, wave.place) == ("public", False, "")
    assert wave.zone == (0 if name == "v1" else 120)
    sent = surveys.open(tokens["ruse"]).response
    assert sent.submitted is not None
    assert sent.answers["project"] == [{"title": "Lamps", "cost": "2.5"}]
    begun = surveys.open(tokens["varna"])
    assert begun.response.answers == {"has": "yes"}
    given = {"has": "yes", "year": "1999"}
    surveys.save(tokens["varna"], given, revision=1, language="bg", submit=True)
    figures = surveys.open(tokens["brno"]).measured
    assert list(figures) == ([] if name == "v1" else ["bins-over-80"])
    survey, _ = surveys.survey("small")
    found = results(survey, list(surveys.responses("small")), public=False)
    assert (found["invited"], found["answered"]) == (3, 2)
    surveys.publish("small", NOW + 10**15, results="public", place="Europe/Sofia")
    surveys.close()
    assert stored_version(tmp_path / SURVEYS_FILE) == len(MIGRATIONS)


def test_there_is_a_dump_of_every_earlier_format() -> None:
    assert [f"v{n}" for n in range(1, len(MIGRATIONS))] == NAMES
