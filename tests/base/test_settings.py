"""Settings: defaults, file, environment, and errors that say what to do."""

import re
from pathlib import Path

import pytest

from rynek.base import settings
from rynek.base.settings import Settings, SettingsError

DOCS = Path(__file__).parents[2] / "docs" / "settings.md"


def write(folder: Path, text: str) -> Path:
    path = folder / "rynek.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_defaults_without_a_file() -> None:
    loaded = settings.load(None, {})
    assert loaded == Settings()
    assert loaded.access.anonymous == "read"
    assert loaded.network.allow_private is False
    assert loaded.server.port == 8026


def test_file_then_environment_then_command_line(tmp_path: Path) -> None:
    path = write(tmp_path, '[server]\nport = 1\nhost = "::"\n[log]\nlevel = "debug"\n')
    env = {"RYNEK_SERVER_PORT": "2", "RYNEK_LOG_FORMAT": "json"}
    loaded = settings.load(path, env, {"server.port": 3})
    assert (loaded.server.port, loaded.server.host) == (3, "::")
    assert (loaded.log.level, loaded.log.format) == ("debug", "json")
    assert settings.load(path, env).server.port == 2


def test_fixed_environment_names() -> None:
    env = {"RYNEK_ACCESS_ANONYMOUS": "write", "RYNEK_NETWORK_ALLOW_PRIVATE": "true"}
    loaded = settings.load(None, env)
    assert loaded.access.anonymous == "write"
    assert loaded.network.allow_private is True


def test_lists_in_the_environment_are_separated_by_commas() -> None:
    env = {"RYNEK_ACCESS_CORS_ORIGINS": "https://a.example, https://b.example"}
    assert settings.load(None, env).access.cors_origins == (
        "https://a.example",
        "https://b.example",
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[access]\nanonymous = "yes"', ["access.anonymous", '"none"', '"read"', '"write"']),
        ("[access]\nanonymus = 'read'", ["access.anonymus", "did you mean access.anonymous?"]),
        ("[acess]\nx = 1", ["[acess]", "did you mean access?"]),
        ("[server]\nport = 70000", ["server.port", "at most 65535"]),
        ("[server]\nport = '8026'", ["server.port", "whole number"]),
        ("[server]\nport = true", ["server.port", "whole number"]),
        ("server = 3", ["[server]", "section"]),
        ("[server", ["not TOML"]),
        ("[limits]\nmax_limit = 5", ["limits.default_limit", "limits.max_limit"]),
        ("[network]\ntimeout_seconds = inf", ["network.timeout_seconds", "at most"]),
    ],
)
def test_wrong_files_name_the_key_and_what_is_allowed(
    tmp_path: Path, text: str, words: list[str]
) -> None:
    path = write(tmp_path, text)
    with pytest.raises(SettingsError) as caught:
        settings.load(path, {})
    for word in words:
        assert word in str(caught.value)
    if "limits" not in text:
        assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("env", "words"),
    [
        ({"RYNEK_ACCESS_ANONYMOUS": "all"}, ["RYNEK_ACCESS_ANONYMOUS", '"write"']),
        ({"RYNEK_ACCESS_ANONYMUS": "read"}, ["did you mean RYNEK_ACCESS_ANONYMOUS?"]),
        ({"RYNEK_NETWORK_ALLOW_PRIVATE": "maybe"}, ["true or false"]),
        ({"RYNEK_SERVER_PORT": "many"}, ["RYNEK_SERVER_PORT", "whole number"]),
    ],
)
def test_wrong_environment_is_an_error(env: dict[str, str], words: list[str]) -> None:
    with pytest.raises(SettingsError) as caught:
        settings.load(None, env)
    for word in words:
        assert word in str(caught.value)


def test_variables_that_are_no_settings_are_left_alone() -> None:
    assert settings.load(None, {"RYNEK_TOKEN": "x", "PATH": "/bin"}) == Settings()


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"absent\.toml"):
        settings.load(tmp_path / "absent.toml", {})


def test_every_key_is_documented_with_default_and_variable() -> None:
    rows = re.findall(
        r"^\| `([a-z_.]+)` \| `(.*?)` \| `(RYNEK_\w+)` \|", DOCS.read_text(), re.MULTILINE
    )
    documented = {name: (default, env) for name, default, env in rows}
    assert len(documented) == len(rows), "a key is documented twice"
    actual = {key.name: (_toml(key.default), key.env) for key in settings.list_keys()}
    assert documented == actual


def test_every_allowed_value_is_documented() -> None:
    text = DOCS.read_text()
    for key in settings.list_keys():
        if key.allowed.startswith("one of"):
            row = next(line for line in text.splitlines() if line.startswith(f"| `{key.name}` "))
            for choice in re.findall(r'"(\w+)"', key.allowed):
                assert f"`{choice}`" in row, key.name


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    return f'"{value}"' if isinstance(value, str) else str(value)
