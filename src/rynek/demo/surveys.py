"""The demo's two waves of the survey that comes with rynek: one that is over, with answers made up
for example communities, and one that is open, with a link to try it."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from rynek.base.clock import MICRO, SystemClock, to_iso
from rynek.base.folder import write_atomically
from rynek.base.typed import decode
from rynek.demo.answers import MEASURED, example_answers, online_share, told_of_measured
from rynek.indicators import (
    Measured,
    Respondent,
    Surveys,
    read_deadline,
    read_survey,
    write_template,
)

__all__ = ["MADE", "OPEN_WAVE", "PAST_WAVE", "make_surveys"]

MADE: Final = "surveys.json"
"""The file that says that the waves are made, and holds the link to try."""
PAST_WAVE: Final = "example-2026"
OPEN_WAVE: Final = "example-next"

_SEED: Final = 20260601
_SOURCE: Final = "Example figure, made up"
_DAY: Final = 86_400 * MICRO
_OPENED: Final = 1_769_990_400 * MICRO  # 2 February 2026
_DAYS: Final = 57
_ZONE: Final = "Europe/Warsaw"
# Region: communities asked, and those that sent their answers. The last one is too small to show.
_PAST: Final = {
    "A": (22, 19),
    "B": (20, 17),
    "C": (19, 16),
    "D": (18, 15),
    "E": (17, 14),
    "F": (16, 12),
    "G": (15, 11),
    "H": (13, 10),
    "I": (11, 3),
}
_OPEN: Final = {"A": (22, 9), "B": (20, 6), "C": (19, 7)}


class _Made(msgspec.Struct, forbid_unknown_fields=True):
    """What is kept between starts: who may try the open wave, and the token of its link."""

    respondent: str
    token: str


class _Then:
    """A clock that stands where it is put."""

    def __init__(self, at: int) -> None:
        self.at = at

    def now(self) -> int:
        """Epoch microseconds."""
        return self.at


def make_surveys(folder: Path) -> str:
    """Make both waves where an earlier start has not; the token of a link that was not sent yet.

    What a start that was killed had made is gone on with; answers that people gave stay.
    """
    mark = folder / MADE
    if not mark.exists():
        _make_past(folder)
        write_atomically(mark, msgspec.json.encode(_make_open(folder)))
    made = decode(mark.read_bytes(), _Made)
    surveys = Surveys(folder)
    try:
        if surveys.open(made.token).response.submitted is not None:
            made = _invite(surveys, int(made.respondent.rpartition("-")[2]) + 1)
            write_atomically(mark, msgspec.json.encode(made))
    finally:
        surveys.close()
    return made.token


def _make_past(folder: Path) -> None:
    clock = _Then(_OPENED)
    surveys = Surveys(folder, clock)
    try:
        with tempfile.TemporaryDirectory() as place:
            form = Path(place) / "survey.xlsx"
            write_template(form)
            asked = read_survey(form)
        surveys.put(asked)
        _publish(surveys, asked.id, PAST_WAVE, _day(_OPENED + _DAYS * _DAY))
        _answer(surveys, PAST_WAVE, _PAST, clock)
    finally:
        surveys.close()


def _make_open(folder: Path) -> _Made:
    surveys = Surveys(folder)
    try:
        name = surveys.wave(PAST_WAVE).survey
        _publish(surveys, name, OPEN_WAVE, _day(SystemClock().now() + 365 * _DAY))
        _answer(surveys, OPEN_WAVE, _OPEN, None)
        return _invite(surveys, 1 + sum(asked for asked, _ in _OPEN.values()))
    finally:
        surveys.close()


def _day(at: int) -> str:
    return to_iso(at)[:10]


def _publish(surveys: Surveys, survey: str, wave: str, day: str) -> None:
    """Ask until the end of a day."""
    at, east = read_deadline(f"{day}T23:59", _ZONE)
    surveys.publish(
        survey, at, wave_id=wave, results="public", example=True, zone=east, place=_ZONE
    )


def _invite(surveys: Surveys, number: int) -> _Made:
    """A link for one community more, in the first region."""
    one = _community(number, "A")
    known = {each.respondent.id for each in surveys.responses(OPEN_WAVE)}
    if one.id in known:
        made = _Made(one.id, surveys.renew(OPEN_WAVE, one.id))
    else:
        made = _Made(one.id, surveys.invite(OPEN_WAVE, [one])[one.id])
    _measure(surveys, OPEN_WAVE)
    return made


def _measure(surveys: Surveys, wave: str) -> None:
    """A figure made up for everybody, to confirm or contest."""
    found = {
        one.respondent.id: {
            MEASURED: Measured(online_share(one.respondent.id), _SOURCE, period="2025")
        }
        for one in surveys.responses(wave)
    }
    surveys.measure(wave, found)


def _answer(
    surveys: Surveys, wave: str, regions: dict[str, tuple[int, int]], clock: _Then | None
) -> None:
    """Invite everybody and send the answers of those who answer; one more in a region saves a
    draft. What is there stays."""
    there = {each.respondent.id: each for each in surveys.responses(wave)}
    people = list(_people(regions))
    tokens = surveys.invite(wave, [one for one, _ in people if one.id not in there])
    _measure(surveys, wave)
    for one, place in people:
        draw = random.Random(f"{_SEED} {wave} {one.id}")
        answers: dict[str, Any] = example_answers(draw, place)
        sent = regions[one.region[-1]][1]
        before = there.get(one.id)
        if place > sent or (before is not None and before.revision):
            continue
        answers |= told_of_measured(one.id, answers)
        if place == sent:
            answers = {name: answers[name] for name in ("size", "role")}
        if clock is not None:
            clock.at = _OPENED + draw.randrange(1, _DAYS * 24) * _DAY // 24
        token = tokens.get(one.id) or surveys.renew(wave, one.id)
        surveys.save(token, answers, revision=0, language="en", submit=place < sent)


def _people(regions: dict[str, tuple[int, int]]) -> Iterator[tuple[Respondent, int]]:
    """Every community, and its place within its region from 0."""
    number = 0
    for region, (asked, _) in regions.items():
        for place in range(asked):
            number += 1
            yield _community(number, region), place


def _community(number: int, region: str) -> Respondent:
    name = f"Example community {number}"
    return Respondent(f"example-{number:03}", name, f"Example region {region}")
