"""Surveys with every version, waves that are open until a deadline, invitations, and answers."""

from __future__ import annotations

import re
import secrets
import zlib
from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from rynek.base.clock import Clock, SystemClock, to_iso
from rynek.base.errors import AlreadyExists, BadRequestData, Conflict, ResourceNotFound
from rynek.base.sqlite import Connection
from rynek.base.typed import decoder
from rynek.indicators.survey.answering import Answers, State
from rynek.indicators.survey.database import opened
from rynek.indicators.survey.deadline import zone_of
from rynek.indicators.survey.measured import Measured
from rynek.indicators.survey.model import Survey

__all__ = ["Opened", "Respondent", "Response", "Surveys", "Wave"]

Results = Literal["closed", "public"]
_ID: Final = re.compile(r"[a-z0-9][a-z0-9-]{1,63}")
_MAX_RESPONDENTS: Final = 100_000
_MAX_BODY: Final = 1 << 20
_decode: Final = decoder(Survey).decode
_figures: Final = decoder(dict[str, Measured]).decode


class Wave(msgspec.Struct, frozen=True):
    """A survey that is asked: which version, until when (microseconds since 1970), and whether its
    results are public. `example`: its answers are made up to show what it looks like. Times are told
    in the time zone `place` (of the IANA database), or without one `zone` minutes east of UTC."""

    id: str
    survey: str
    version: int
    opened: int
    deadline: int
    results: Results
    example: bool
    zone: int = 0
    place: str = ""


class Respondent(msgspec.Struct, frozen=True):
    """Who is asked: an id, a name, and the region that the response rate is told by."""

    id: str
    name: str
    region: str = ""


class Response(msgspec.Struct, frozen=True):
    """What a respondent answered so far; `submitted` is None while it is a draft."""

    respondent: Respondent
    revision: int = 0
    saved: int = 0
    submitted: int | None = None
    answers: Answers = {}


class Opened(msgspec.Struct, frozen=True):
    """What a link opens: the wave, its survey, who answers, what is there, and the figures that were
    measured for the respondent, by indicator."""

    wave: Wave
    survey: Survey
    response: Response
    measured: dict[str, Measured] = {}


class Surveys:
    """The surveys of a data folder; safe from several threads, and beside other processes."""

    def __init__(self, folder: Path, clock: Clock | None = None) -> None:
        self._database = opened(folder)
        self._clock = clock or SystemClock()
        self._read: dict[tuple[str, int], Survey] = {}

    def now(self) -> int:
        """The time by which deadlines are kept."""
        return self._clock.now()

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def put(self, survey: Survey) -> tuple[int, bool]:
        """Keep a survey: its version, and whether that is a new one."""
        body = msgspec.json.encode(survey)
        digest = sha256(body).hexdigest()
        with self._database.writing() as database:
            row = database.execute(
                "SELECT version, digest FROM survey WHERE id = ? ORDER BY version DESC LIMIT 1",
                (survey.id,),
            ).fetchone()
            if row is not None and row[1] == digest:
                return int(row[0]), False
            version = 1 if row is None else int(row[0]) + 1
            database.execute(
                "INSERT INTO survey VALUES (?, ?, ?, ?, ?)",
                (survey.id, version, self._clock.now(), digest, zlib.compress(body)),
            )
        return version, True

    def survey(self, survey_id: str, version: int | None = None) -> tuple[Survey, int]:
        """A survey and its version (the newest without a number). ResourceNotFound."""
        row = self._one(
            "SELECT version, body FROM survey WHERE id = ? AND (version = ? OR ? IS NULL)"
            " ORDER BY version DESC LIMIT 1",
            (survey_id, version, version),
        )
        if row is None:
            raise ResourceNotFound(f"no survey {survey_id!r}: import it first"[:200])
        key = (survey_id, int(row[0]))
        if key not in self._read:
            if len(self._read) > 20:
                self._read.clear()
            self._read[key] = _decode(zlib.decompress(row[1]))
        return self._read[key], key[1]

    def surveys(self) -> list[tuple[str, int]]:
        """The ids of all surveys and their newest versions."""
        rows = self._all("SELECT id, max(version) FROM survey GROUP BY id ORDER BY id")
        return [(str(name), int(version)) for name, version in rows]

    def publish(
        self,
        survey_id: str,
        deadline: int,
        *,
        wave_id: str = "",
        results: Results = "closed",
        example: bool = False,
        zone: int = 0,
        place: str = "",
    ) -> Wave:
        """Ask a survey's newest version until `deadline`, or change a wave's deadline and who sees
        its results. Once somebody has answered, its version stays. ResourceNotFound, Conflict."""
        _, version = self.survey(survey_id)
        if place:
            zone_of(place)
        wave_id, now = wave_id or survey_id, self._clock.now()
        if not _ID.fullmatch(wave_id):
            raise BadRequestData(f"wave {wave_id[:80]!r}: small letters, digits and hyphens")
        with self._database.writing() as database:
            row = database.execute(f"{_WAVE} WHERE id = ?", (wave_id,)).fetchone()
            if row is None and deadline <= now:
                raise BadRequestData(f"deadline {to_iso(deadline)}: it has passed already")
            if row is not None:
                before = _wave(row)
                if before.survey != survey_id:
                    raise Conflict(f"the wave {wave_id!r} asks {before.survey!r}: name another")
                answered = database.execute(
                    "SELECT 1 FROM response WHERE wave = ? LIMIT 1", (wave_id,)
                ).fetchone()
                version, now = (before.version if answered else version), before.opened
                example = before.example
            wave = Wave(wave_id, survey_id, version, now, deadline, results, example, zone, place)
            database.execute(
                "INSERT INTO wave VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT(id) DO UPDATE SET"
                " version = excluded.version, deadline = excluded.deadline,"
                " results = excluded.results, zone = excluded.zone, place = excluded.place",
                (*msgspec.structs.astuple(wave)[:6], int(example), zone, place),
            )
        return wave

    def wave(self, wave_id: str) -> Wave:
        """A wave. ResourceNotFound."""
        row = self._one(f"{_WAVE} WHERE id = ?", (wave_id,))
        if row is None:
            raise ResourceNotFound(f"no survey {wave_id!r} is published here"[:200])
        return _wave(row)

    def waves(self) -> list[Wave]:
        """All waves, the newest first."""
        return [_wave(row) for row in self._all(f"{_WAVE} ORDER BY opened DESC, id")]

    def invite(self, wave_id: str, respondents: Iterable[Respondent]) -> dict[str, str]:
        """A link's token for each new respondent, by id: only its hash is kept. All or none;
        AlreadyExists for one who is invited already (`renew` makes another link)."""
        self.wave(wave_id)
        tokens: dict[str, str] = {}
        now = self._clock.now()
        with self._database.writing() as database:
            for one in respondents:
                if one.id in tokens or _invited(database, wave_id, one.id):
                    raise AlreadyExists(
                        f"respondent {one.id!r}: invited already; --renew gives another link"
                    )
                token = tokens[one.id] = secrets.token_urlsafe(24)
                database.execute(
                    "INSERT INTO invitation VALUES (?, ?, ?, ?, ?, ?)",
                    (wave_id, one.id, one.name, one.region, _hashed(token), now),
                )
            count = database.execute("SELECT count(*) FROM invitation").fetchone()[0]
            if count > _MAX_RESPONDENTS:
                raise BadRequestData(f"{_MAX_RESPONDENTS} invitations are the most")
        return tokens

    def renew(self, wave_id: str, respondent: str) -> str:
        """Another token for who lost the link; the old one stops working. ResourceNotFound."""
        return self.renew_all(wave_id, [respondent])[respondent]

    def renew_all(self, wave_id: str, respondents: Iterable[str]) -> dict[str, str]:
        """The same for several, by id: all or none. ResourceNotFound names who is not invited."""
        tokens: dict[str, str] = {}
        with self._database.writing() as database:
            for one in respondents:
                tokens[one] = secrets.token_urlsafe(24)
                database.execute(
                    "UPDATE invitation SET token = ?, at = ? WHERE wave = ? AND respondent = ?",
                    (_hashed(tokens[one]), self._clock.now(), wave_id, one),
                )
                if not database.changes():
                    raise ResourceNotFound(f"nobody {one!r} is invited to {wave_id!r}"[:200])
        return tokens

    def open(self, token: str) -> Opened:
        """What a link opens. ResourceNotFound for one that is unknown or was renewed."""
        row = self._one(f"{_RESPONSE} WHERE i.token = ?", (_hashed(token[:200]),))
        if row is None:
            raise ResourceNotFound("this link is not known here, or another one took its place")
        wave = self.wave(row[0])
        survey, _ = self.survey(wave.survey, wave.version)
        figures = self._one(
            "SELECT body FROM measured WHERE wave = ? AND respondent = ?", (wave.id, row[1])
        )
        return Opened(wave, survey, _response(row), _figures(figures[0]) if figures else {})

    def measure(self, wave_id: str, figures: Mapping[str, Mapping[str, Measured]]) -> None:
        """Keep what was measured, by respondent and indicator, in place of what was before: who
        confirmed another figure and has not sent the answers yet is asked again."""
        self.wave(wave_id)
        now = self._clock.now()
        with self._database.writing() as database:
            database.execute("DELETE FROM measured WHERE wave = ?", (wave_id,))
            for respondent, found in figures.items():
                if not _invited(database, wave_id, respondent):
                    raise ResourceNotFound(f"nobody {respondent!r} is invited to {wave_id!r}"[:200])
                database.execute(
                    "INSERT INTO measured VALUES (?, ?, ?, ?)",
                    (wave_id, respondent, now, msgspec.json.encode(found)),
                )

    def save(
        self, token: str, answers: Answers, *, revision: int, language: str, submit: bool = False
    ) -> Response:
        """Keep answers over `revision`; the whole of them. With `submit` they are final: then what
        does not apply is dropped, and faults refuse it (BadRequestData).

        Conflict after the deadline, over answers that are final, and where another window saved
        in between (`extra["reason"]` is deadline, submitted or revision).
        """
        now = self._clock.now()
        found = self.open(token)
        if submit:
            state = State(found.survey, answers, to_iso(now)[:10], found.measured)
            if state.faults():
                raise BadRequestData("some answers are missing or wrong: they are not sent yet")
            answers = state.final()
        body = msgspec.json.encode(answers)
        if len(body) > _MAX_BODY:
            raise BadRequestData(f"answers have at most {_MAX_BODY >> 10} KiB")
        who = found.response.respondent
        with self._database.writing() as database:
            row = database.execute(f"{_RESPONSE} WHERE i.token = ?", (_hashed(token),)).fetchone()
            before = _response(row) if row else None
            deadline = database.execute(
                "SELECT deadline FROM wave WHERE id = ?", (found.wave.id,)
            ).fetchone()[0]
            _check_open(before, deadline, now, revision)
            database.execute(
                "INSERT OR REPLACE INTO response VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    found.wave.id,
                    who.id,
                    revision + 1,
                    now,
                    now if submit else None,
                    language[:8],
                    body,
                ),
            )
        return Response(who, revision + 1, now, now if submit else None, answers)

    def responses(self, wave_id: str) -> Iterator[Response]:
        """Everybody who is invited, with what they answered; by id."""
        for row in self._all(f"{_RESPONSE} WHERE i.wave = ? ORDER BY i.respondent", (wave_id,)):
            yield _response(row)

    def changed(self, wave_id: str) -> tuple[int, int]:
        """What differs whenever results do."""
        row = self._one(
            "SELECT (SELECT count(*) FROM invitation WHERE wave = ?), (SELECT ifnull(sum(revision), 0)"
            " FROM response WHERE wave = ?)",
            (wave_id, wave_id),
        )
        return (0, 0) if row is None else (int(row[0]), int(row[1]))

    def _one(self, statement: str, values: tuple[Any, ...] = ()) -> Any:
        with self._database.reading() as database:
            return database.execute(statement, values).fetchone()

    def _all(self, statement: str, values: tuple[Any, ...] = ()) -> list[Any]:
        with self._database.reading() as database:
            return database.execute(statement, values).fetchall()


_WAVE: Final = (
    "SELECT id, survey, version, opened, deadline, results, example, zone, place FROM wave"
)
_RESPONSE: Final = (
    "SELECT i.wave, i.respondent, i.name, i.region, r.revision, r.saved, r.submitted, r.body"
    " FROM invitation i LEFT JOIN response r ON r.wave = i.wave AND r.respondent = i.respondent"
)


def _check_open(before: Response | None, deadline: int, now: int, revision: int) -> None:
    if before is None:
        raise ResourceNotFound("this link is not known here, or another one took its place")
    if before.submitted is not None:
        raise Conflict("these answers were sent already: they are final", reason="submitted")
    if now > deadline:
        raise Conflict(f"answers were taken until {to_iso(deadline)}", reason="deadline")
    if before.revision != revision:
        raise Conflict("another window saved these answers in between", reason="revision")


def _hashed(token: str) -> bytes:
    return sha256(token.encode("utf-8", "replace")).digest()


def _invited(database: Connection, wave_id: str, respondent: str) -> bool:
    return (
        database.execute(
            "SELECT 1 FROM invitation WHERE wave = ? AND respondent = ?", (wave_id, respondent)
        ).fetchone()
        is not None
    )


def _wave(row: Any) -> Wave:
    name, survey, version, at, deadline, results, example, zone, place = row
    return Wave(name, survey, version, at, deadline, results, bool(example), zone, place)


def _response(row: Any) -> Response:
    who = Respondent(row[1], row[2], row[3])
    if row[4] is None:
        return Response(who)
    return Response(who, row[4], row[5], row[6], msgspec.json.decode(row[7]))
