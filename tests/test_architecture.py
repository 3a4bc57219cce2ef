"""The rooms keep to their direction, and files to their size."""

import ast
import re
import subprocess
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "rynek"
MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 50


def sources() -> list[Path]:
    return sorted(SOURCE.rglob("*.py"))


def test_rooms_import_in_one_direction() -> None:
    """The contracts stand in pyproject.toml, [tool.importlinter]."""
    command = Path(sysconfig.get_path("scripts")) / "lint-imports"
    done = subprocess.run(
        [command, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_folder_with_code_is_a_package() -> None:
    """A folder without __init__.py is invisible to the check of imports."""
    folders = {path.parent for path in sources()}
    assert not [folder for folder in folders if not (folder / "__init__.py").is_file()]


def test_files_stay_small() -> None:
    sizes = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in sources()}
    assert sizes
    assert {name: size for name, size in sizes.items() if size > MAX_FILE_LINES} == {}


def test_types_are_looked_at_in_one_place() -> None:
    """Two threads that do it at once end the process: see rynek/base/typed.py."""
    pattern = re.compile(
        r"msgspec\.convert\(|msgspec\.(json|msgpack)\.(Decoder\((?!\))|decode\([^\n]*\btype=)"
    )
    found = {
        str(path.relative_to(ROOT)): each[0]
        for path in sources()
        if path != SOURCE / "base" / "typed.py"
        for each in pattern.finditer(path.read_text())
    }
    assert found == {}


def test_no_process_is_forked_from_an_event_loop() -> None:
    """It can wait for ever for locks that other threads held: see rynek/app/child.py."""
    pattern = re.compile(r"create_subprocess_(exec|shell)|subprocess_exec\(|os\.fork\(|preexec_fn")
    found = [str(path.relative_to(ROOT)) for path in sources() if pattern.search(path.read_text())]
    assert found == []


def functions(path: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno:
            yield node.name, node.end_lineno - node.lineno + 1


def test_functions_stay_small() -> None:
    long = {
        f"{path.relative_to(ROOT)}:{name}": length
        for path in sources()
        for name, length in functions(path)
        if length > MAX_FUNCTION_LINES
    }
    assert long == {}


@pytest.mark.parametrize(
    "name", ["requirements.lock", "requirements-dev.lock", "frontend/package-lock.json"]
)
def test_lock_files_name_no_host_and_no_path(name: str) -> None:
    """They hold on any machine with the public registries."""
    text = (ROOT / name).read_text()
    assert not re.findall(
        r"^\s*(?:-i|-f|--[a-z-]*(?:url|links|host))\b.*|file:.*", text, re.MULTILINE
    )
    registry = "https://registry.npmjs.org/"
    assert all(url.startswith(registry) for url in re.findall(r'"resolved": "([^"]*)"', text))


def test_every_locked_package_has_hashes() -> None:
    for name in ("requirements.lock", "requirements-dev.lock"):
        blocks = re.split(r"\n(?=\S)", (ROOT / name).read_text())
        pinned = [block for block in blocks if re.match(r"[\w.-]+==", block)]
        assert len(pinned) > 20
        assert [block.split()[0] for block in pinned if "--hash=sha256:" not in block] == []
