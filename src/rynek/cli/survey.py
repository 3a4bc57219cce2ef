"""`rynek survey`: ask cities, and compare what they answered."""

from __future__ import annotations

import csv
import json
import re
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote

import click

from rynek.base.clock import to_iso
from rynek.base.errors import BadRequestData
from rynek.base.folder import make_private
from rynek.cli.options import config_option, data_option, existing_folder, settings_of
from rynek.cli.survey_measuring import computing, lacking
from rynek.cli.waiting import waiting

if TYPE_CHECKING:
    from rynek.base.settings import Settings
    from rynek.indicators import Respondent, Surveys

_MAX_LIST = 1 << 26
_ADDRESS = re.compile(r"https?://[^/?#\s]+(/[^?#\s]*)?", re.IGNORECASE)


EPILOG = """\b
Examples:
  rynek survey template strategy.xlsx                   the survey that comes with rynek
  rynek survey import strategy.xlsx
  rynek survey publish smart-strategy --deadline 2026-12-31T23:59 --zone Europe/Warsaw
  rynek survey invite smart-strategy cities.csv links.csv --address https://rynek.example
  rynek survey measure smart-strategy                   figures to confirm or contest
  rynek survey results smart-strategy
  rynek survey export smart-strategy answers --format xlsx
"""


@click.group(epilog=EPILOG)
def survey() -> None:
    """Ask cities: a survey is an XLSForm, and answered by link without an account."""


@contextmanager
def _surveys(config: Path | None, data: Path | None, *, make: bool = False) -> Iterator[Surveys]:
    from rynek.indicators import Surveys

    if make:
        folder = Path(settings_of(config, data).data.path)
        make_private(folder)
    else:
        folder = existing_folder(config, data)
    surveys = Surveys(folder)
    try:
        yield surveys
    finally:
        surveys.close()


@survey.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def template(file: Path) -> None:
    """Write the survey "Smart strategy, needs, priorities" in six languages to FILE (.xlsx).

    It may be imported as it is, or changed in a spreadsheet before.
    """
    from rynek.indicators import write_template

    if file.exists():
        raise click.ClickException(f"{file} exists: give another name")
    write_template(file)
    click.echo(str(file))


@survey.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--id", "survey_id", default="", help="Its id; otherwise form_id of the file.")
@data_option
@config_option
def import_survey(file: Path, survey_id: str, data: Path | None, config: Path | None) -> None:
    """Keep the survey of FILE (an XLSForm, .xlsx); see docs/surveys.md for what it may hold.

    A file with a mistake is refused with its question named, and nothing of it is kept.
    """
    from rynek.indicators import read_survey

    found = read_survey(file, survey_id)
    with _surveys(config, data, make=True) as surveys:
        version, new = surveys.put(found)
    asked = sum(1 for each in found.questions if each.kind != "calculation")
    click.echo(
        f"{found.id} version {version}: {asked} questions in {', '.join(found.languages)}"
        + ("" if new else ", as it was already")
    )
    for note in found.notes:
        click.echo(f"note: {note}")


@survey.command()
@click.argument("survey_id", metavar="SURVEY")
@click.option("--deadline", required=True, help="Until when, such as 2026-12-31T23:59+01:00.")
@click.option("--zone", default="", help="On whose clocks, such as Europe/Warsaw: pages name it.")
@click.option("--wave", default="", help="A name for this time that it is asked; default: SURVEY.")
@click.option(
    "--results",
    type=click.Choice(("closed", "public")),
    default="closed",
    show_default=True,
    help="Whether everybody sees the results (small cells hidden).",
)
@click.option("--example", is_flag=True, help="Its answers are made up; its pages say so.")
@data_option
@config_option
def publish(
    survey_id: str,
    deadline: str,
    zone: str,
    wave: str,
    results: Literal["closed", "public"],
    example: bool,
    data: Path | None,
    config: Path | None,
) -> None:
    """Ask SURVEY until the deadline; again: change the deadline or who sees the results.

    With --zone the deadline may leave out its distance from UTC: it is on the clocks of that place.
    """
    from rynek.indicators import read_deadline

    try:
        at, east = read_deadline(deadline, zone)
    except BadRequestData as problem:
        raise click.UsageError(f"--{problem.detail}") from None
    with _surveys(config, data) as surveys:
        made = surveys.publish(
            survey_id,
            at,
            wave_id=wave,
            results=results,
            example=example,
            zone=east,
            place=zone,
        )
    click.echo(
        f"{made.id}: {made.survey} version {made.version}, until {to_iso(made.deadline)},"
        f" results {made.results}"
    )


@survey.command()
@click.argument("wave")
@click.option(
    "--period",
    help="Of indicators: 2025, 2026-Q3, 2026-10 or FROM/TO; the last whole month without.",
)
@data_option
@config_option
def measure(wave: str, period: str | None, data: Path | None, config: Path | None) -> None:
    """Put before the respondents of WAVE what is measured of them already, to confirm or contest.

    A question names its indicator in the column bind::rynek:indicator: the id of one, computed for
    each respondent whose id is a city here, or reference:TABLE/COLUMN, found by the respondent's id
    as the key of that table. Again: the figures of today take the place of those before.
    """
    from rynek.indicators import References, measured_figures, open_indicators

    settings = settings_of(config, data)
    with _surveys(config, data) as surveys:
        told = surveys.wave(wave)
        asked, _ = surveys.survey(told.survey, told.version)
        people = [one.respondent.id for one in surveys.responses(wave)]
        tables = open_indicators(Path(settings.data.path))
        lacks: list[str] = []
        with closing(tables), waiting(f"measuring for {len(people)} respondents") as say:
            computed = computing(settings, period, say)
            found = measured_figures(asked, people, References(tables).find, computed, lacks.append)
        surveys.measure(wave, found)
    for table in lacks:
        lacking(table)
    figures = sum(map(len, found.values()))
    if not people:
        click.echo("nobody is invited yet (rynek survey invite)")
        return
    click.echo(f"{figures} figures for {len(found)} of {len(people)} respondents")
    if not figures:
        click.echo("no respondent's id is a key of such a table, or a city here with enough data")


@survey.command()
@click.argument("wave")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("links", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--address",
    default="",
    help="Where rynek is reached, such as https://rynek.example; default: server.public_url.",
)
@click.option("--renew", is_flag=True, help="New links for who is invited already; old ones end.")
@data_option
@config_option
def invite(
    wave: str,
    file: Path,
    links: Path,
    address: str,
    renew: bool,
    data: Path | None,
    config: Path | None,
) -> None:
    """Invite the respondents of FILE (CSV: id, name, region) and write their links into LINKS.

    A link is the only key to its answers: rynek keeps its hash, so that LINKS cannot be had again.
    """
    base = _address(address, settings_of(config, data))
    people = _respondents(file)
    if links.exists():
        raise click.ClickException(f"{links} exists: it may hold links; give another name")
    with _surveys(config, data) as surveys:
        if renew:
            surveys.wave(wave)
            tokens = surveys.renew_all(wave, [one.id for one in people])
        else:
            tokens = surveys.invite(wave, people)
    links.touch(mode=0o600)
    with links.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(["id", "name", "region", "link"])
        for one in people:
            link = f"{base}/survey/{quote(tokens[one.id])}"
            writer.writerow([one.id, one.name, one.region, link])
    click.echo(f"{len(tokens)} links in {links}")


def _address(given: str, settings: Settings) -> str:
    """Where the links lead: as given, otherwise server.public_url. UsageError without an address
    that a browser can open, since links without one are dead."""
    address = given or settings.server.public_url
    if not address:
        raise click.UsageError(
            "--address: where do respondents reach rynek? Give it, such as --address"
            " https://rynek.example, or set server.public_url"
        )
    if not _ADDRESS.fullmatch(address):
        raise click.UsageError(
            f"--address {address!r}: an address that starts with https:// or http://, without ? and"
            " #, such as https://rynek.example"
        )
    return address.rstrip("/")


def _respondents(file: Path) -> list[Respondent]:
    """Who stands in a CSV file, whatever separates its columns. BadRequestData names the fault."""
    from rynek.indicators import Form, Respondent, read_frame

    if file.stat().st_size > _MAX_LIST:
        raise BadRequestData(f"{file.name}: over {_MAX_LIST >> 20} MiB")
    frame = read_frame(file, Form(missing=("",)))
    ids = frame.text("id")
    nothing: list[str | None] = [None] * frame.rows
    names, regions = (frame.columns.get(each, nothing) for each in ("name", "region"))
    found: dict[str, Respondent] = {}
    for number, (name, label, region) in enumerate(zip(ids, names, regions, strict=True), start=2):
        if not name or len(name) > 100:
            raise BadRequestData(f"{file.name}, line {number}: the column id is empty or too long")
        if name in found:
            raise BadRequestData(f"{file.name}, line {number}: the id {name!r} stands twice")
        found[name] = Respondent(name, (label or name)[:200], (region or "")[:200])
    return list(found.values())


@survey.command("list")
@click.argument("wave", required=False)
@click.option("--missing", is_flag=True, help="Only who has not sent answers: for reminders.")
@click.option(
    "--links",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The file of links that `invite` wrote: each respondent with its link, ready to send.",
)
@data_option
@config_option
def list_surveys(
    wave: str | None,
    missing: bool,
    links: Path | None,
    data: Path | None,
    config: Path | None,
) -> None:
    """Show the surveys and waves, or as CSV the respondents of WAVE and how far they are."""
    known = _links(links) if links else {}
    with _surveys(config, data) as surveys:
        if wave is None:
            for name, version in surveys.surveys():
                click.echo(f"survey\t{name}\tversion {version}")
            for one in surveys.waves():
                until = to_iso(one.deadline)
                click.echo(
                    f"wave\t{one.id}\t{one.survey} {one.version}\tuntil {until}\t{one.results}"
                )
            return
        surveys.wave(wave)
        writer = csv.writer(sys.stdout)
        head = ["id", "name", "region", "state", "saved"]
        writer.writerow([*head, "link"] if links else head)
        for each in surveys.responses(wave):
            state = "sent" if each.submitted else "begun" if each.revision else "not begun"
            if not (missing and each.submitted):
                who = each.respondent
                saved = to_iso(each.saved) if each.saved else ""
                row = [who.id, who.name, who.region, state, saved]
                writer.writerow([*row, known.get(who.id, "")] if links else row)


def _links(file: Path) -> dict[str, str]:
    """The links of a file that `invite` wrote, by id."""
    from rynek.indicators import Form, read_frame

    frame = read_frame(file, Form(missing=("",)))
    pairs = zip(frame.text("id"), frame.text("link"), strict=True)
    return {name: link for name, link in pairs if name and link}


@survey.command()
@click.argument("wave")
@click.option("--public", is_flag=True, help="As everybody sees them: small cells hidden.")
@click.option("--json", "as_json", is_flag=True, help="As JSON, with every figure.")
@data_option
@config_option
def results(wave: str, public: bool, as_json: bool, data: Path | None, config: Path | None) -> None:
    """Show who answered, by region, and what."""
    from rynek.indicators import results as found_in

    with _surveys(config, data) as surveys:
        told = surveys.wave(wave)
        asked, _ = surveys.survey(told.survey, told.version)
        with waiting("reading the answers"):
            found = found_in(asked, list(surveys.responses(wave)), public=public)
    if as_json:
        click.echo(json.dumps(found, ensure_ascii=False, indent=1, allow_nan=False))
        return
    _print(found)


def _print(found: dict[str, Any]) -> None:
    if not found["invited"]:
        click.echo("nobody is invited yet (rynek survey invite)")
        return
    click.echo(f"{_cell(found['answered'])} of {found['invited']} answered")
    for row in found["regions"]:
        rate = "" if row["rate"] is None else f" ({row['rate']:.0%})"
        click.echo(f"  {row['region'] or '-'}: {_cell(row['answered'])} of {row['invited']}{rate}")
    for question in found["questions"]:
        label = next(iter(question["label"].values()), question["name"])
        click.echo(f"\n{label} ({_cell(question['n'])} answers)")
        for choice in question.get("choices", ()):
            words = next(iter(choice["label"].values()), choice["name"])
            share = "" if choice["weighted"] is None else f" {choice['weighted']:6.1%} weighted"
            click.echo(f"  {_cell(choice['count']):>6}{share}  {words}")
        numbers = question.get("numbers")
        if numbers:
            click.echo("  " + ", ".join(f"{name} {value:g}" for name, value in numbers.items()))


def _cell(count: int | None) -> str:
    return "< 5 *" if count is None else str(count)


@survey.command()
@click.argument("wave")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--format",
    "kind",
    type=click.Choice(("csv", "xlsx", "parquet")),
    default="csv",
    show_default=True,
)
@data_option
@config_option
def export(
    wave: str,
    folder: Path,
    kind: Literal["csv", "xlsx", "parquet"],
    data: Path | None,
    config: Path | None,
) -> None:
    """Write the answers that were sent into FOLDER, with weights and a codebook."""
    from rynek.indicators import write_export

    with _surveys(config, data) as surveys:
        told = surveys.wave(wave)
        asked, _ = surveys.survey(told.survey, told.version)
        for path in write_export(asked, list(surveys.responses(wave)), folder, kind):
            click.echo(str(path))
