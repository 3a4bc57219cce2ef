"""`rynek feed`: the sources of a city's data."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
import msgspec

from rynek.base.errors import Problem
from rynek.base.folder import make_private
from rynek.base.http import Guard
from rynek.base.ids import TENANT_NAME
from rynek.base.settings import Settings
from rynek.cli.options import config_option, data_option, settings_of, tenant_option
from rynek.feeds import (
    CheckReport,
    FeedConfig,
    check,
    kind_of,
    kinds,
    list_feeds,
    load_feed,
    save_feed,
)
from rynek.web import City, parse_city

F = TypeVar("F", bound=Callable[..., Any])

EPILOG = """\b
Examples:
  rynek feed check https://example.org/vehicles.pb
  rynek feed add vehicles --kind gtfs_rt --source https://example.org/vehicles.pb --every 20
  rynek feed add bins --kind tabular --source bins.csv --mapping bins.toml --zone Europe/Sofia
  rynek feed list
  rynek feed remove bins
"""
CHECK_EPILOG = """\b
Examples:
  rynek feed check vehicle_positions.pb
  rynek feed check recordings/ --kind gtfs_rt --schedule gtfs.zip
  rynek feed check bins.csv --propose > bins.toml
  rynek feed check bins.csv --mapping bins.toml --zone Europe/Sofia --json
"""
ADD_EPILOG = """\b
Sources:
  https://…          polled every so many seconds
  FILE or FOLDER     read when it changes; relative to the city's feeds folder unless absolute
  webhook:           waits for posts to /c/TENANT/feeds/NAME/deliver
  replay:RECORDING   a recording, played as if it were live (docs/feeds.md)
"""


@click.group(epilog=EPILOG)
def feed() -> None:
    """Feeds: where a city's data come from. One file each, in <data>/tenants/<tenant>/feeds.

    A running service notices within two seconds what is added, changed or removed.
    """


@feed.command("list")
@click.option("--tenant", help="Only this tenant (default: all).")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@data_option
@config_option
def list_all(tenant: str | None, as_json: bool, data: Path | None, config: Path | None) -> None:
    """Show every feed with its kind, source and schedule; how they do is on the page /feeds."""
    root = Path(settings_of(config, data).data.path) / "tenants"
    tenants = [tenant] if tenant else sorted(p.name for p in root.glob("*") if p.is_dir())
    rows = [
        _row(name, feed_name, path)
        for name in tenants
        for feed_name, path in list_feeds(root / name / "feeds").items()
    ]
    if as_json:
        click.echo(json.dumps(rows, ensure_ascii=False, indent=2))
        return
    if not rows:
        click.echo("no feeds; add one with: rynek feed add NAME --kind K --source S")
    for row in rows:
        state = row["problem"] or ("" if row["enabled"] else "switched off")
        source, every = row["source"], row["every"]
        pace = "" if source.startswith(("replay:", "webhook:")) else f"every {every:g} s"
        cells = (row["tenant"], row["name"], row["kind"], source, pace, state)
        click.echo("\t".join(cells).rstrip())


def _row(tenant: str, name: str, path: Path) -> dict[str, Any]:
    try:
        found, problem = load_feed(path), ""
    except (ValueError, OSError) as error:
        found, problem = FeedConfig(name=name, kind="", source=""), str(error)
    keys = ("kind", "source", "every", "enabled", "provider", "licence")
    told = {key: getattr(found, key) for key in keys}
    return {"tenant": tenant, "name": name, **told, "problem": problem}


def source_options(function: F) -> F:
    """What `check` and `add` both ask about a source."""
    for option in (
        click.option("--kind", help="The kind of feed; without it, it is recognised."),
        click.option("--zone", help="IANA zone of times without one (default: the city's)."),
        click.option("--bounds", help="west,south,east,north in degrees (default: the city's)."),
        click.option("--mapping", help="A mapping for tables: a file, or one that ships."),
        click.option("--option", "given", multiple=True, metavar="KEY=VALUE", help="Of the kind."),
        tenant_option,
        data_option,
        config_option,
    ):
        function = option(function)
    return function


class Asked(msgspec.Struct, kw_only=True):
    """The values of `source_options`."""

    kind: str | None
    zone: str | None
    bounds: str | None
    mapping: str | None
    given: tuple[str, ...]
    tenant: str | None
    data: Path | None
    config: Path | None

    def settings(self) -> Settings:
        """The settings that hold here."""
        return settings_of(self.config, self.data)

    def feed(self, name: str, source: str) -> FeedConfig:
        """The feed that is asked for; zone and bounds are the city's unless given."""
        city = _city(self.settings(), self.tenant)
        return FeedConfig(
            name=name,
            kind=self.kind or "",
            source=source,
            zone=self.zone or city.zone,
            bounds=_bounds(self.bounds) or city.bounds,
            options=_options(self.kind, self.given, self.mapping),
        )


@feed.command("check", epilog=CHECK_EPILOG)
@click.argument("source")
@click.option("--json", "as_json", is_flag=True, help="As JSON, for programs.")
@click.option("--schedule", help="A GTFS zip to match GTFS-Realtime with.")
@click.option("--propose", is_flag=True, help="Print only a mapping to start from, for a table.")
@source_options
def check_source(
    source: str, as_json: bool, schedule: str | None, propose: bool, **asked: Any
) -> None:
    """Tell what SOURCE (a file, a folder or a URL) is, holds and becomes, and what is odd.

    Nothing is written. The exit code is 0 when it can be read, 1 when it can't.
    """
    wanted = Asked(**asked)
    made = wanted.feed("check", source)
    try:
        report = _look(made, wanted.settings(), schedule)
    except (ValueError, OSError, Problem) as error:
        _unreadable(source, made.kind, error, as_json)
        return
    if propose:
        if report.proposal is None:
            raise click.ClickException(f"{source} is no table that lacks a mapping")
        click.echo(report.proposal, nl=False)
    elif as_json:
        click.echo(json.dumps(report.to_json(), ensure_ascii=False, indent=2))
    else:
        click.echo(report.to_text(), nl=False)


def _look(made: FeedConfig, settings: Settings, schedule: str | None = None) -> CheckReport:
    return check(
        made.source,
        made.kind or None,
        zone=made.zone,
        bounds=made.bounds,
        options=made.options,
        provider=made.provider,
        schedule=schedule,
        guard=_guard(settings),
    )


def _unreadable(source: str, kind: str, error: Exception, as_json: bool) -> None:
    if as_json:
        problem = {"code": "unreadable", "severity": "error", "count": 1, "example": str(error)}
        told = {"source": source, "kind": kind, "records": 0, "entities": {}}
        click.echo(json.dumps(told | {"findings": [problem]}, ensure_ascii=False, indent=2))
    click.echo(f"rynek: {source} cannot be read: {error}", err=True)
    raise SystemExit(1)


@feed.command("add", epilog=ADD_EPILOG)
@click.argument("name")
@click.option("--source", required=True, help="Where the data are, see below.")
@click.option("--every", type=float, default=30.0, show_default=True, help="Seconds between polls.")
@click.option("--provider", default="", help="Who publishes the data; stands on every entity.")
@click.option("--licence", default="", help="On which terms.")
@click.option("--no-check", is_flag=True, help="Do not look at the source first.")
@click.option("--replace", is_flag=True, help="Replace a feed of that name.")
@source_options
def add(
    name: str,
    source: str,
    every: float,
    provider: str,
    licence: str,
    no_check: bool,
    replace: bool,
    **asked: Any,
) -> None:
    """Add the feed NAME (lower case letters, digits, - and _) to a city.

    The source is looked at first, as `rynek feed check` does; a source that cannot be read is not
    added. What is written is shown.
    """
    wanted = Asked(**asked)
    folder = _folder(wanted.settings(), wanted.tenant)
    if name in list_feeds(folder) and not replace:
        raise click.ClickException(f"there is a feed {name!r} already; --replace replaces it")
    made = msgspec.structs.replace(
        wanted.feed(name, _absolute(source, folder)),
        every=every,
        provider=provider,
        licence=licence,
    )
    if not no_check and not made.source.startswith(("webhook:", "replay:")):
        made = _looked_at(made, wanted.settings(), folder)
    if not made.kind:
        raise click.ClickException(f"name the kind with --kind: {', '.join(kinds())}")
    if not no_check:
        _refuse_unmapped(made)
    try:
        make_private(folder.parents[2])
        path = save_feed(folder, made)
    except ValueError as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"written: {path}\n{path.read_text('utf-8').rstrip()}")


def _looked_at(made: FeedConfig, settings: Settings, folder: Path) -> FeedConfig:
    """The feed with the kind that its source is of; what the source holds is shown."""
    local = "://" not in made.source
    seen = msgspec.structs.replace(made, source=str(folder / made.source)) if local else made
    try:
        report = _look(seen, settings)
    except (ValueError, OSError, Problem) as error:
        raise click.ClickException(
            f"{made.source} cannot be read: {error}; --no-check adds it all the same"
        ) from None
    click.echo(msgspec.structs.replace(report, proposal=None).to_text(), nl=False)
    return msgspec.structs.replace(made, kind=report.kind)


def _refuse_unmapped(made: FeedConfig) -> None:
    """A kind that needs a mapping makes nothing without one."""
    needs = "mapping" in kind_of_or_fail(made.kind).manifest.options
    if not needs or made.options.get("mapping") or made.options.get("map"):
        return
    local = not made.source.startswith(("webhook:", "replay:"))
    raise click.ClickException(
        f"without a mapping {made.source} becomes nothing. Make one to start from with\n"
        f"  rynek feed check {made.source if local else 'SAMPLE_FILE'} --propose > mapping.toml\n"
        "look through it (docs/feeds/tabular.md), then add --mapping mapping.toml; "
        "--no-check adds the feed all the same"
    )


@feed.command("remove")
@click.argument("name")
@tenant_option
@data_option
@config_option
def remove(name: str, tenant: str | None, data: Path | None, config: Path | None) -> None:
    """Take the feed NAME away. What it brought stays, in the live picture and in the history."""
    path = list_feeds(_folder(settings_of(config, data), tenant)).get(name)
    if path is None:
        raise click.ClickException(f"no feed called {name!r}; see: rynek feed list")
    path.unlink()
    click.echo(f"removed: {path}")


@feed.command("kinds")
def show_kinds() -> None:
    """Show the kinds of feeds with their options."""
    for name, found in kinds().items():
        click.echo(f"{name}: {found.manifest.reads}")
        for key, option in found.manifest.options.items():
            click.echo(f"    {key} ({option.type}): {option.doc}")


def _folder(settings: Settings, tenant: str | None) -> Path:
    name = tenant or settings.tenants.default
    if not TENANT_NAME.fullmatch(name):
        raise click.ClickException(
            f"{name!r} is no tenant's name: up to 64 letters a-z, A-Z, digits, and _ . - after "
            "the first; what people read is `name` in city.toml"
        )
    return Path(settings.data.path) / "tenants" / name / "feeds"


def _city(settings: Settings, tenant: str | None) -> City:
    """The tenant's city.toml, for its zone and bounds; an empty city where there is none."""
    file = _folder(settings, tenant).parent / "city.toml"
    if not file.is_file():
        return City(name=tenant or settings.tenants.default)
    try:
        return parse_city(file.read_text("utf-8"))
    except ValueError as error:
        raise click.ClickException(f"{file}: {error}") from None


def _guard(settings: Settings) -> Guard:
    network = settings.network
    return Guard(
        allow_private=network.allow_private,
        timeout=network.timeout_seconds,
        max_bytes=network.max_bytes,
        max_redirects=network.max_redirects,
    )


def _bounds(text: str | None) -> tuple[float, float, float, float] | None:
    if not text:
        return None
    try:
        west, south, east, north = (float(part) for part in text.split(","))
    except ValueError:
        raise click.ClickException("--bounds is west,south,east,north in degrees") from None
    return west, south, east, north


def _options(kind: str | None, given: tuple[str, ...], mapping: str | None) -> dict[str, Any]:
    """KEY=VALUE pairs as the kind's manifest types them; a mapping's path made absolute."""
    known = kind_of_or_fail(kind).manifest.options if kind else {}
    options: dict[str, Any] = {}
    for pair in given:
        key, mark, text = pair.partition("=")
        if not mark:
            raise click.ClickException(f"--option {pair!r}: write KEY=VALUE")
        plain = key in known and known[key].type == "string"
        options[key] = text if plain else _value(text)
    if mapping:
        path = Path(mapping)
        options["mapping"] = str(path.resolve()) if path.is_file() else mapping
    return options


def kind_of_or_fail(kind: str) -> Any:
    """The kind of that name; a message that lists the kinds otherwise."""
    try:
        return kind_of(kind)
    except ValueError as error:
        raise click.ClickException(str(error)) from None


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _absolute(source: str, folder: Path) -> str:
    """A path that exists from here, made absolute; anything else as it is (see the epilog)."""
    if "://" in source or source.startswith(("webhook:", "replay:")):
        return source
    path = Path(source).expanduser()
    return source if (folder / path).exists() or not path.exists() else str(path.resolve())
