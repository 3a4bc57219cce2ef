"""`rynek practice list`, `show`, `add` …: the cards of a data folder, also while a service runs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from rynek.base.clock import to_iso
from rynek.base.errors import BadRequestData, Problem, ResourceNotFound
from rynek.base.folder import make_private
from rynek.cli.options import config_option, data_option, existing_folder, settings_of
from rynek.cli.practice_moved import cities_like, list_moved
from rynek.cli.waiting import each
from rynek.practices.cards import DOORS, FILE, LANGUAGES, VERDICTS, Cards, Stored, Viewer

F = TypeVar("F", bound=Callable[..., Any])
# Whoever may read the folder may read everything in it.
_ALL: Final = Viewer(member=True, admin=True)
_PAGE: Final = 500
_MAX_IMPORT: Final = 1 << 28


def _writes(function: F) -> F:
    """What every change may be given."""
    for option in (
        click.option("--note", default="", help="Why, kept with the version."),
        click.option("--who", default="", help="Who makes the change, kept with the version."),
        config_option,
        data_option,
    ):
        function = option(function)
    return function


_version = click.option(
    "--version",
    type=int,
    required=True,
    help="The version that you looked at: it must be the newest.",
)


@contextmanager
def _cards(config: Path | None, data: Path | None, *, make: bool = False) -> Iterator[Cards]:
    from rynek.practices.cards import seed

    if make:
        folder = Path(settings_of(config, data).data.path)
        make_private(folder)
    else:
        folder = existing_folder(config, data)
    cards = Cards(folder / FILE)
    try:
        seed(cards)
        yield cards
    finally:
        cards.close()


def _stored(cards: Cards, card_id: str, version: int | None = None) -> Stored:
    found = cards.find(card_id, version)
    if found is None:
        raise ResourceNotFound(f"no practice card {card_id!r}"[:200])
    return found


@click.command("list")
@click.option("--theme", default="", help="Only cards of this theme, such as waste.")
@click.option("--verdict", type=click.Choice(VERDICTS), help="Only cards with this verdict.")
@click.option(
    "--indicator", default="", metavar="ID", help="Cards about this indicator, best first."
)
@click.option(
    "--population", type=click.IntRange(1, 10**8), help="With --indicator: of the city that asks."
)
@click.option("--country", default="", help="With --indicator: of the city that asks, such as CZ.")
@click.option(
    "--like", metavar="TENANT", help="Cards of cities like this one first, by what is measured."
)
@click.option("--language", type=click.Choice(LANGUAGES), default="en", help="Of the titles.")
@click.option("--json", "as_json", is_flag=True, help="As JSON, the whole cards.")
@data_option
@config_option
def list_cards(
    theme: str,
    verdict: str | None,
    indicator: str,
    population: int | None,
    country: str,
    like: str | None,
    language: str,
    as_json: bool,
    data: Path | None,
    config: Path | None,
) -> None:
    """Show the cards: id, version, verdict, status, who sees it and title.

    With --indicator those whose computed effects are about it, by evidence, effect and likeness of
    the city's size, then those of its theme: id, level of evidence, direction, title and reason.
    """
    from rynek.practices.cards import Wanted, refuse_unknown

    if indicator:
        if theme or verdict:
            raise click.UsageError("--indicator is not taken together with --theme and --verdict")
        with _cards(config, data) as cards:
            cities = cities_like(existing_folder(config, data), like)
            list_moved(cards, indicator, population, country, cities, language, as_json=as_json)
        return
    if population or country:
        raise click.UsageError("--population and --country are for --indicator")
    wanted = Wanted(theme=theme, verdict=verdict or "")
    with _cards(config, data) as cards:
        refuse_unknown(cards, _ALL, theme)
        found = [seen for seen, _ in _every(cards, wanted)]
    cities = cities_like(existing_folder(config, data), like)
    if cities is not None:
        from rynek.practices.search import unlike

        found.sort(key=lambda seen: unlike(cities.alike(seen)))
    if as_json:
        _print([seen.document() for seen in found])
        return
    for seen in found:
        title = seen.card.title.get(language) or next(iter(seen.card.title.values()))
        verdict = seen.card.verdict.outcome
        click.echo(
            f"{seen.id}\t{seen.written.version}\t{verdict}\t{seen.card.status}\t{seen.door}\t{title}"
            + _alike(cities, seen, language)
        )
    if not found:
        click.echo("no cards")


def _alike(cities: Any, seen: Any, language: str) -> str:
    if cities is None:
        return ""
    from rynek.practices.search import alike_message

    return "\t" + alike_message(cities.alike(seen)).text(language)


def _every(cards: Cards, wanted: Any = None) -> Iterator[tuple[Any, int]]:
    offset = 0
    while True:
        some, total = cards.listed(_ALL, wanted, offset=offset, limit=_PAGE)
        yield from ((seen, total) for seen in some)
        offset += len(some)
        if not some:
            return


@click.command()
@click.argument("card_id", metavar="ID")
@click.option("--version", type=int, help="An earlier version.")
@click.option("--public", is_flag=True, help="As everybody sees it.")
@click.option("--toml", is_flag=True, help="The card alone as TOML, to be edited.")
@data_option
@config_option
def show(
    card_id: str,
    version: int | None,
    public: bool,
    toml: bool,
    data: Path | None,
    config: Path | None,
) -> None:
    """Show the card ID as JSON, with the answers to its questions."""
    from rynek.practices.cards import EVERYBODY, to_document

    with _cards(config, data) as cards:
        seen = cards.get(card_id, EVERYBODY if public else _ALL, version)
        answers = cards.answered(seen)
    if toml:
        import tomli_w

        click.echo(tomli_w.dumps(to_document(seen.card)), nl=False)
        return
    told = {key: one.document | {"input": one.input} for key, one in answers.items()}
    _print(seen.document() | {"answers": told})


@click.command()
@click.argument("card_id", metavar="ID")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--owner", default="", help="The tenant whose card it is.")
@click.option(
    "--door", type=click.Choice(DOORS), default="owner", show_default=True, help="Who sees it."
)
@_writes
def add(
    card_id: str,
    file: Path,
    owner: str,
    door: Any,
    data: Path | None,
    config: Path | None,
    who: str,
    note: str,
) -> None:
    """Keep the card in FILE (TOML or JSON) as ID: small letters, digits and hyphens."""
    card = _read(file)
    with _cards(config, data, make=True) as cards:
        kept = cards.add(card_id, card, owner=owner, door=door, who=who, note=note)
    click.echo(f"{kept.id} is at version {kept.written.version}, seen by: {kept.door}")


@click.command()
@click.argument("card_id", metavar="ID")
@click.argument(
    "file", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=False
)
@_version
@click.option("--door", type=click.Choice(DOORS), help="Who sees it from now on.")
@_writes
def edit(
    card_id: str,
    file: Path | None,
    version: int,
    door: Any,
    data: Path | None,
    config: Path | None,
    who: str,
    note: str,
) -> None:
    """Put the card in FILE in the place of ID's version; without FILE only the door changes.

    Who changed it in between is never overwritten: the command then says which version is newest.
    """
    with _cards(config, data) as cards:
        card = _read(file) if file else _stored(cards, card_id).card
        kept = cards.change(card_id, card, version=version, door=door, who=who, note=note)
    click.echo(f"{kept.id} is at version {kept.written.version}, seen by: {kept.door}")


@click.command()
@click.argument("card_id", metavar="ID")
@click.option("--restore", type=int, metavar="N", help="Put the words of version N back.")
@click.option("--version", type=int, help="With --restore: the newest version, as you saw it.")
@_writes
def history(
    card_id: str,
    restore: int | None,
    version: int | None,
    data: Path | None,
    config: Path | None,
    who: str,
    note: str,
) -> None:
    """Show every version of ID, or put an earlier one back (also of a card that was removed)."""
    with _cards(config, data) as cards:
        if restore is None:
            for one in cards.versions(card_id, _ALL):
                gone = "\tremoved" if one.removed else ""
                click.echo(f"{one.version}\t{to_iso(one.at)}\t{one.who}\t{one.note}{gone}")
            return
        if version is None:
            raise click.UsageError("--restore needs --version: the newest one, as you saw it")
        kept = cards.restore(card_id, restore, version=version, who=who, note=note)
    click.echo(f"{kept.id} is at version {kept.written.version}, with the words of {restore}")


@click.command()
@click.argument("card_id", metavar="ID")
@_version
@_writes
def remove(
    card_id: str, version: int, data: Path | None, config: Path | None, who: str, note: str
) -> None:
    """Take the card ID away. Its versions stay: `history ID --restore N` brings it back."""
    with _cards(config, data) as cards:
        kept = cards.remove(card_id, version=version, who=who, note=note)
    click.echo(f"{card_id} is removed; version {kept.written.version - 1} can be put back")


@click.command("export")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--public", is_flag=True, help="Only what everybody sees.")
@data_option
@config_option
def export_cards(file: Path, public: bool, data: Path | None, config: Path | None) -> None:
    """Write all cards (their newest versions) into FILE, one JSON document a line."""
    from rynek.practices.cards import EVERYBODY

    count = 0
    with _cards(config, data) as cards, file.open("w", encoding="utf-8") as lines:
        for seen, _ in _every(cards):
            shown = cards.find(seen.id).seen_by(EVERYBODY) if public else seen  # type: ignore[union-attr]
            if shown is not None:
                lines.write(json.dumps(shown.document(), ensure_ascii=False) + "\n")
                count += 1
    click.echo(f"{count} cards in {file}")


@click.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--replace", is_flag=True, help="Cards that are there become new versions.")
@_writes
def import_cards(
    file: Path, replace: bool, data: Path | None, config: Path | None, who: str, note: str
) -> None:
    """Bring the cards of FILE (as `export` writes them) in, all of them or none.

    One that is there with the same words stays as it is; with other words it is refused, unless
    --replace.
    """
    if file.stat().st_size > _MAX_IMPORT:
        raise click.ClickException(f"{file} is over {_MAX_IMPORT >> 20} MiB")
    counts = {"added": 0, "changed": 0, "unchanged": 0}
    with _cards(config, data, make=True) as cards, cards.together():
        for number, line in enumerate(file.read_bytes().splitlines(), start=1):
            if line.strip():
                try:
                    counts[_take(cards, line, replace=replace, who=who, note=note)] += 1
                except Problem as problem:
                    raise click.ClickException(f"line {number}: {problem}") from None
    click.echo(", ".join(f"{count} {word}" for word, count in counts.items()))


def _take(cards: Cards, line: bytes, *, replace: bool, who: str, note: str) -> str:
    from rynek.practices.cards import parse_card, read_document

    told = read_document(line, ".json")
    card_id, inner, door = told.get("id"), told.get("card"), told.get("door", "owner")
    owner = told.get("owner", "")
    if not isinstance(card_id, str) or not isinstance(inner, dict) or not isinstance(owner, str):
        raise BadRequestData("id and card: both are needed, as `export` writes them")
    card = parse_card(inner)
    stored = cards.find(card_id)
    if stored is None:
        cards.add(card_id, card, owner=owner, door=door, who=who, note=note)
        return "added"
    if stored.card == card and stored.door == door and not stored.written.removed:
        return "unchanged"
    if not replace:
        raise BadRequestData(f"{card_id}: is there with other words; --replace makes a new version")
    version = stored.written.version
    cards.change(card_id, card, version=version, door=door, who=who, note=note)
    return "changed"


@click.command()
@click.argument("card_id", metavar="ID")
@click.argument(
    "recorded", required=False, type=click.Path(exists=True, file_okay=False, path_type=Path)
)
@data_option
@config_option
def answer(card_id: str, recorded: Path | None, data: Path | None, config: Path | None) -> None:
    """Compute the effects that the card ID asks for, and keep them: from the files below RECORDED,
    and from the recorded history of the city that owns the card.

    The card's questions say which files and how, or what of the history. Nothing is kept twice: an
    answer gets a new number only when the files, the history, the question or rynek have changed.
    """
    from rynek.cli.practice_history import ask_owner, zone_of
    from rynek.practices.cards import answer_all

    failed = 0
    with _cards(config, data) as cards:
        ask, zone = ask_owner(config, data), zone_of(config, data, _stored(cards, card_id).owner)
        for key, found in each("computing", answer_all(cards, card_id, recorded, ask, zone)):
            if isinstance(found, Problem):
                failed += 1
                click.echo(f"{key}: refused: {found}")
            else:
                click.echo(f"{key} (answer {found.number}): {found.document['sentence']}")
    if failed:
        raise SystemExit(1)


def _read(file: Path) -> Any:
    from rynek.practices.cards import MAX_BYTES, parse_card, read_document

    with file.open("rb") as opened:
        return parse_card(read_document(opened.read(MAX_BYTES + 1), file.name))


def _print(document: Any) -> None:
    click.echo(json.dumps(document, ensure_ascii=False, indent=2))


COMMANDS: Final = (
    list_cards,
    show,
    add,
    edit,
    history,
    remove,
    export_cards,
    import_cards,
    answer,
)

__all__ = ["COMMANDS"]
