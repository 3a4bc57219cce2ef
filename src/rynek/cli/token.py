"""`rynek token`: who may write, and read where reading is closed."""

from __future__ import annotations

from pathlib import Path

import click

from rynek.base.clock import to_iso
from rynek.base.folder import make_private
from rynek.cli.options import config_option, data_option, lacking, settings_of
from rynek.web import TokenStore


@click.group()
def token() -> None:
    """Tokens for clients: create, list, revoke. They work at once, also while a server runs."""


def _store(config: Path | None, data: Path | None) -> TokenStore:
    folder = Path(settings_of(config, data).data.path)
    make_private(folder)
    return TokenStore(folder / "system.db")


def _existing(config: Path | None, data: Path | None) -> TokenStore:
    """The store of a folder that has one; looking for tokens makes no folder."""
    file = Path(settings_of(config, data).data.path) / "system.db"
    if not file.is_file():
        raise lacking(f"{file}, so no tokens", file.parent)
    return TokenStore(file)


@token.command()
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    default=("write",),
    show_default=True,
    help="read, write or admin; write:kyiv for one tenant. May be given several times.",
)
@click.option(
    "--days", type=float, help="Valid for so many days, above 0 (default: until revoked)."
)
@data_option
@config_option
def create(
    name: str, scopes: tuple[str, ...], days: float | None, data: Path | None, config: Path | None
) -> None:
    """Make a token called NAME and print it: it is shown this once and kept only as a hash.

    Clients send it as `Authorization: Bearer <token>`; a browser as the password of its sign-in.
    """
    store = _store(config, data)
    try:
        secret = store.create(name, scopes, days)
    except ValueError as error:
        raise click.ClickException(str(error)) from None
    finally:
        store.close()
    click.echo(secret)


@token.command("list")
@data_option
@config_option
def list_tokens(data: Path | None, config: Path | None) -> None:
    """Show names, scopes and dates of all tokens (never the tokens)."""
    store = _existing(config, data)
    tokens = store.all()
    store.close()
    if not tokens:
        click.echo("no tokens; make one with: rynek token create NAME")
    for one in tokens:
        until = f"until {to_iso(one.expires)}" if one.expires else "until revoked"
        click.echo(f"{one.name}\t{' '.join(one.scopes)}\tsince {to_iso(one.created)}\t{until}")


@token.command()
@click.argument("name")
@data_option
@config_option
def revoke(name: str, data: Path | None, config: Path | None) -> None:
    """Make the token called NAME worthless, at once."""
    store = _existing(config, data)
    gone = store.revoke(name)
    store.close()
    if not gone:
        raise click.ClickException(f"no token called {name!r}")
    click.echo(f"revoked {name}")
