"""Settings: one TOML file, every key typed, bounded and overridable from the environment.

A key `name` in section `[part]` is also `RYNEK_PART_NAME`; the environment wins over the file,
command-line options (`overrides`) over both. docs/settings.md lists every key; a test compares.
"""

from __future__ import annotations

import difflib
import ipaddress
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_origin

import msgspec
from msgspec import Meta

from rynek.base.allowed import allowed
from rynek.base.typed import convert

PREFIX = "RYNEK_"
Count = Annotated[int, Meta(ge=1)]
Span = Annotated[float, Meta(gt=0, le=31_536_000)]


class SettingsError(ValueError):
    """A setting is unknown or wrong; the message names key, origin and what is allowed."""


class Server(msgspec.Struct, frozen=True, kw_only=True):
    """Where the service listens, by TLS where there is a certificate, and what it bears.

    `base_path` is the prefix a reverse proxy forwards ("/city"), `public_url` is how others reach
    the service, `trusted_proxies` are those whose word on that is taken.
    """

    host: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535)] = 8026
    base_path: Annotated[str, Meta(pattern=r"^(/[A-Za-z0-9._~-]+)*$")] = ""
    public_url: Annotated[str, Meta(pattern=r"^(https?://[^/?#\s]+(/[^?#\s]*)?)?$")] = ""
    trusted_proxies: tuple[str, ...] = ()
    tls_certificate: str = ""
    tls_key: str = ""
    max_body_bytes: Count = 50 * 1024 * 1024
    max_connections: Annotated[int, Meta(ge=16, le=1_000_000)] = 10_000
    max_connections_per_address: Count = 2000
    idle_seconds: Annotated[float, Meta(ge=1, le=3600)] = 30.0
    body_seconds: Annotated[float, Meta(ge=1, le=3600)] = 30.0
    stalled_seconds: Annotated[float, Meta(ge=1, le=3600)] = 60.0


class Data(msgspec.Struct, frozen=True, kw_only=True):
    """The one folder that holds everything."""

    path: Annotated[str, Meta(min_length=1)] = "./rynek-data"


class Access(msgspec.Struct, frozen=True, kw_only=True):
    """What clients without a token may do, and which web origins may call."""

    anonymous: Literal["none", "read", "write"] = "read"
    cors_origins: tuple[str, ...] = ("*",)


class Network(msgspec.Struct, frozen=True, kw_only=True):
    """The guard of every outgoing request. Bytes are counted after decompression."""

    allow_private: bool = False
    timeout_seconds: Span = 20.0
    max_bytes: Count = 64 * 1024 * 1024
    max_redirects: Annotated[int, Meta(ge=0, le=20)] = 3


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """JSON-LD contexts. `default` are URLs used when a request names none; empty = core only."""

    default: tuple[str, ...] = ()
    max_contexts: Count = 1000


class Tenants(msgspec.Struct, frozen=True, kw_only=True):
    """Tenants: the one that answers without a `NGSILD-Tenant` header, and how many may exist."""

    default: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]{0,63}$")] = "default"
    max: Count = 500


class Federation(msgspec.Struct, frozen=True, kw_only=True):
    """Other context sources. `alias` is the name by which this one stands in Via lists; the rest
    bounds what is asked of others: see docs/federation.md."""

    alias: Annotated[str, Meta(pattern=r"^[A-Za-z0-9._-]{0,120}$")] = ""
    timeout_seconds: Span = 5.0
    cooldown_seconds: Annotated[float, Meta(ge=0, le=86_400)] = 5.0
    max_answer_bytes: Count = 16 * 1024 * 1024
    max_parallel: Count = 256
    split_entities: bool = False
    max_candidates: Count = 10_000


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds of one request, and of the attribute indexes that queries may cause.

    `max_sorted` are entities that one query may sort, look at one by one or put in an entity map,
    `max_linked` those that relationships may lead to in one answer. Entity maps live
    `entity_map_seconds` unless asked otherwise.
    """

    default_limit: Count = 20
    max_limit: Count = 1000
    max_batch: Count = 10_000
    max_value_indexes: Annotated[int, Meta(ge=0)] = 64
    remember_mb: Annotated[int, Meta(ge=0)] = 256
    max_instances: Count = 10_000
    max_answer_instances: Count = 100_000
    max_sorted: Count = 100_000
    max_linked: Count = 1000
    max_entity_maps: Count = 100
    entity_map_seconds: Span = 900.0
    max_entity_map_seconds: Span = 86_400.0


class Snapshots(msgspec.Struct, frozen=True, kw_only=True):
    """Snapshots of one tenant: how many, how large each, how long they live (unless asked otherwise,
    and at most), and how long one stays open that nobody uses."""

    max: Count = 20
    max_entities: Count = 100_000
    max_readings: Count = 1_000_000
    lifetime_seconds: Span = 86_400.0
    max_lifetime_seconds: Span = 604_800.0
    idle_seconds: Span = 60.0


class Log(msgspec.Struct, frozen=True, kw_only=True):
    """What the log says, and as what: lines for people, or one JSON object a line.

    `access` logs every answer, `slow_seconds` those that took so long (0: none). `file` is written
    beside standard error; a new one is begun at `file_mb` and every `file_hours` (0: no bound),
    `file_count` old ones stay.
    """

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["text", "json"] = "text"
    access: bool = False
    slow_seconds: Annotated[float, Meta(ge=0, le=3600)] = 2.0
    file: str = ""
    file_mb: Annotated[int, Meta(ge=0, le=1_048_576)] = 64
    file_hours: Annotated[float, Meta(ge=0, le=87_600)] = 24.0
    file_count: Annotated[int, Meta(ge=1, le=10_000)] = 14


class Metrics(msgspec.Struct, frozen=True, kw_only=True):
    """The service's own figures: who sees them without a token, whether each tenant has series of
    its own, and whether (and for how many days; 0: for ever) their history is kept."""

    anonymous: Literal["none", "loopback", "all"] = "none"
    tenants: bool = True
    history: bool = True
    keep_days: Annotated[int, Meta(ge=0, le=36_525)] = 31


class Practices(msgspec.Struct, frozen=True, kw_only=True):
    """Practice cards: whether a city's public cards are entities of its live picture too, and
    whether and how often what is computed for them is computed again as histories grow."""

    entities: bool = True
    recompute: bool = True
    recompute_hours: Span = 24.0
    recorded: str = ""


class Indicators(msgspec.Struct, frozen=True, kw_only=True):
    """Indicators: whether (and when) a city's values are entities of its live picture too."""

    publish: Literal["off", "daily"] = "off"


class Changes(msgspec.Struct, frozen=True, kw_only=True):
    """How much of the change log stays; rows that history still needs are never dropped."""

    keep_rows: Count = 2_000_000
    keep_hours: Span = 72.0


class Notifications(msgspec.Struct, frozen=True, kw_only=True):
    """Notifications: how long one attempt may take, how long one is tried, what may wait.

    `max_backlog` and `max_dead` count messages of one subscription, `max_backlog_mb` bounds all
    of a tenant; `connections` are those to one receiver, `pipeline` the requests at once on one.
    """

    timeout_seconds: Annotated[float, Meta(gt=0, le=3600)] = 10.0
    retry_seconds: Annotated[float, Meta(gt=0, le=60)] = 1.0
    keep_hours: Span = 24.0
    max_backlog: Count = 1_000_000
    max_backlog_mb: Count = 1024
    max_dead: Annotated[int, Meta(ge=0)] = 1000
    max_subscriptions: Annotated[int, Meta(ge=0)] = 100_000
    connections: Annotated[int, Meta(ge=1, le=256)] = 16
    pipeline: Annotated[int, Meta(ge=1, le=64)] = 16


class History(msgspec.Struct, frozen=True, kw_only=True):
    """The history tables: when a commit is due, how long readings stay, what queries may use."""

    flush_seconds: Span = 10.0
    flush_rows: Count = 100_000
    retention_days: Annotated[int, Meta(ge=0)] = 0
    memory_mb: Annotated[int, Meta(ge=64)] = 512
    threads: Annotated[int, Meta(ge=1, le=256)] = 2


class Map(msgspec.Struct, frozen=True, kw_only=True):
    """An outside base map; without a URL the built-in one is drawn."""

    tile_url: str = ""
    tile_attribution: str = ""


class Languages(msgspec.Struct, frozen=True, kw_only=True):
    """The language of a visitor whose browser asks for none of ours."""

    default: Literal["en", "pl", "cs", "bg", "uk", "sr"] = "en"


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """All settings. Immutable: change one with `msgspec.structs.replace` or `overrides`."""

    server: Server = Server()
    data: Data = Data()
    access: Access = Access()
    network: Network = Network()
    context: Context = Context()
    tenants: Tenants = Tenants()
    federation: Federation = Federation()
    limits: Limits = Limits()
    snapshots: Snapshots = Snapshots()
    log: Log = Log()
    metrics: Metrics = Metrics()
    practices: Practices = Practices()
    indicators: Indicators = Indicators()
    changes: Changes = Changes()
    notifications: Notifications = Notifications()
    history: History = History()
    map: Map = Map()
    languages: Languages = Languages()


class Key(msgspec.Struct, frozen=True):
    """One setting as documented: `name` is `section.key`, `env` its environment variable."""

    section: str
    key: str
    type: Any
    default: Any

    @property
    def name(self) -> str:
        """The dotted name, e.g. `access.anonymous`."""
        return f"{self.section}.{self.key}"

    @property
    def env(self) -> str:
        """The environment variable, e.g. `RYNEK_ACCESS_ANONYMOUS`."""
        return f"{PREFIX}{self.section}_{self.key}".upper()

    @property
    def allowed(self) -> str:
        """What the value may be, in words."""
        return allowed(self.type)


def list_keys() -> list[Key]:
    """Every setting, in the order of the documentation."""
    return [
        Key(section.encode_name, field.encode_name, field.type, field.default)
        for section in msgspec.structs.fields(Settings)
        for field in msgspec.structs.fields(section.type)
    ]


def load(
    path: Path | None,
    env: Mapping[str, str],
    overrides: Mapping[str, object] | None = None,
) -> Settings:
    """Settings from a TOML file (None: defaults), then `env`, then `overrides`.

    `overrides` maps dotted names to values ({"server.port": 9000}). SettingsError names the key,
    where it came from, and the allowed values; a file that can't be read is a SettingsError too.
    """
    known = {key.name: key for key in list_keys()}
    values: dict[str, Any] = {}
    if path is not None:
        values |= _from_file(path, known)
    values |= _from_env(env, known)
    for name, value in (overrides or {}).items():
        key = _require(known, name, "command line")
        values[name] = _convert(key, value, name, strict=True)
    settings = _build(values)
    if settings.limits.default_limit > settings.limits.max_limit:
        raise SettingsError(
            f"limits.default_limit ({settings.limits.default_limit}) is above "
            f"limits.max_limit ({settings.limits.max_limit})"
        )
    _check_server(settings.server)
    return settings


def _check_server(server: Server) -> None:
    if bool(server.tls_certificate) != bool(server.tls_key):
        raise SettingsError("server.tls_certificate and server.tls_key: set both, or neither")
    for proxy in server.trusted_proxies:
        try:
            ipaddress.ip_network(proxy, strict=False)
        except ValueError as error:
            raise SettingsError(
                f"server.trusted_proxies: {proxy!r} is no address or network: {error}"
            ) from None


def _build(values: Mapping[str, Any]) -> Settings:
    parts: dict[str, dict[str, Any]] = {}
    for name, value in values.items():
        section, key = name.split(".", 1)
        parts.setdefault(section, {})[key] = value
    types = {field.encode_name: field.type for field in msgspec.structs.fields(Settings)}
    return Settings(**{section: types[section](**part) for section, part in parts.items()})


def _from_file(path: Path, known: Mapping[str, Key]) -> dict[str, Any]:
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror or error}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: not TOML: {error}") from None
    values: dict[str, Any] = {}
    sections = {key.section for key in known.values()}
    for section, members in document.items():
        if section not in sections:
            raise SettingsError(f"{path}: unknown section [{section}]{_near(section, sections)}")
        if not isinstance(members, dict):
            raise SettingsError(f"{path}: [{section}] is a section, write its keys below it")
        for member, value in members.items():
            key = _require(known, f"{section}.{member}", str(path))
            values[key.name] = _convert(key, value, f"{path}: {key.name}", strict=True)
    return values


def _from_env(env: Mapping[str, str], known: Mapping[str, Key]) -> dict[str, Any]:
    by_env = {key.env: key for key in known.values()}
    owned = tuple({f"{PREFIX}{key.section}_".upper() for key in known.values()})
    values: dict[str, Any] = {}
    for variable in sorted(env):
        if not variable.startswith(owned):
            continue
        found = by_env.get(variable)
        if found is None:
            raise SettingsError(
                f"environment variable {variable}: no such setting{_near(variable, by_env)}"
            )
        text: Any = env[variable]
        if get_origin(found.type) is tuple:
            text = [item.strip() for item in text.split(",") if item.strip()]
        values[found.name] = _convert(found, text, f"environment variable {variable}", strict=False)
    return values


def _require(known: Mapping[str, Key], name: str, origin: str) -> Key:
    key = known.get(name)
    if key is None:
        raise SettingsError(f"{origin}: unknown setting {name}{_near(name, known)}")
    return key


def _convert(key: Key, value: object, origin: str, *, strict: bool) -> Any:
    try:
        return convert(value, key.type, strict=strict)
    except msgspec.ValidationError:
        raise SettingsError(f"{origin} = {value!r}: must be {key.allowed}") from None


def _near(word: str, known: Mapping[str, Any] | set[str]) -> str:
    close = difflib.get_close_matches(word, list(known), n=1)
    return f" (did you mean {close[0]}?)" if close else f"; known: {', '.join(sorted(known))}"
