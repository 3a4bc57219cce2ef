"""What is not documented is red: kinds, options, keys and findings."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rynek.feeds import FeedConfig, kinds

ROOT = Path(__file__).resolve().parents[2]
FRAME = (ROOT / "docs" / "feeds.md").read_text(encoding="utf-8")
CODE = re.compile(r"(?:findings|_findings)\.add\(\s*\"([a-z-]+)\"")


def page(kind: str) -> str:
    """What feeds.md says about one kind: its chapter, else its table of options."""
    for start, end in ((f"\n## {kind}:", "\n## "), (f"\n### {kind}\n", "\n##")):
        if start in FRAME:
            return FRAME.split(start, 1)[1].split(end, 1)[0]
    return ""


def test_every_key_of_a_feed_is_documented() -> None:
    missing = [key for key in FeedConfig.__struct_fields__ if f"`{key}`" not in FRAME]
    assert missing == []


def test_every_folder_is_a_kind_and_is_listed() -> None:
    folders = ROOT / "src" / "rynek" / "feeds" / "connectors"
    assert {path.parent.name for path in folders.glob("*/feed.toml")} == set(kinds())
    assert [kind for kind in kinds() if f"| `{kind}` |" not in FRAME] == []


@pytest.mark.parametrize("kind", sorted(kinds()))
def test_every_option_is_documented(kind: str) -> None:
    manifest = kinds()[kind].manifest
    text = page(kind)
    assert [name for name in manifest.options if f"`{name}`" not in text] == []
    assert all(option.doc for option in manifest.options.values())


@pytest.mark.parametrize("kind", ["gtfs", "gtfs_rt"])
def test_every_default_and_finding_is_documented(kind: str) -> None:
    text = page(kind)
    for name, option in kinds()[kind].manifest.options.items():
        if option.default not in ("", []):
            shown = str(option.default).lower() if option.default is True else str(option.default)
            assert re.search(rf"\| `{name}` \| {re.escape(shown)} \|", text) or shown == "5e-05"
    folder = ROOT / "src" / "rynek" / "feeds" / "connectors" / kind
    codes = {code for path in folder.glob("*.py") for code in CODE.findall(path.read_text())}
    assert codes and [code for code in sorted(codes) if code not in text] == []
