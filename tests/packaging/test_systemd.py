"""The unit files are what systemd takes."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from tests.demo.service import environment

UNITS = Path(__file__).parents[2] / "packaging"


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """The units with a program that is there."""
    for unit in UNITS.glob("rynek.*"):
        text = unit.read_text().replace("/opt/rynek/bin/rynek", "/bin/true")
        (tmp_path / unit.name).write_text(text)
    return tmp_path


@pytest.mark.parametrize("name", ["rynek.service", "rynek.socket"])
def test_a_unit_is_one(units: Path, name: str) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("no systemd-analyze")
    checked = subprocess.run(
        [analyze, "verify", str(units / name)], capture_output=True, text=True, check=False
    )
    assert (checked.returncode, checked.stderr) == (0, "")


def test_a_service_takes_the_socket_that_systemd_opened(tmp_path: Path) -> None:
    """As systemd passes it: descriptor 3, LISTEN_FDS and LISTEN_PID."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen(8)
        port = sock.getsockname()[1]
        # Whoever asks before the service is there waits, and is answered.
        early = socket.create_connection(("127.0.0.1", port), timeout=90)
        early.sendall(b"GET /ngsi-ld/v1/types HTTP/1.0\r\nHost: x\r\n\r\n")
        code = (
            "import os, sys\n"
            f"os.dup2({sock.fileno()}, 3)\n"
            "os.set_inheritable(3, True)\n"
            "os.environ |= {'LISTEN_FDS': '1', 'LISTEN_PID': str(os.getpid())}\n"
            "os.execv(sys.executable, [sys.executable, '-m', 'rynek', 'serve', '--port', '1',"
            f" '--data', {str(tmp_path / 'data')!r}])\n"
        )
        process = subprocess.Popen(
            [sys.executable, "-c", code],
            env=environment(),
            pass_fds=[sock.fileno()],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        assert process.stdout.readline() == f"ready http://127.0.0.1:{port}/\n"
        assert early.recv(15).endswith(b" 200 OK")
        process.terminate()
        assert process.wait(timeout=30) == 0
        process.stdout.close()
        early.close()


def test_a_wrong_setting_ends_the_service_as_one_that_is_not_begun_again(tmp_path: Path) -> None:
    """Under systemd it would otherwise fail every two seconds, for ever."""
    unit = (UNITS / "rynek.service").read_text()
    (line,) = (one for one in unit.splitlines() if one.startswith("RestartPreventExitStatus="))
    wrong = tmp_path / "wrong.toml"
    wrong.write_text("[server]\nprot = 8026\n")
    for config, said in ((wrong, "did you mean server.port?"), (tmp_path / "none", "not exist")):
        command = [sys.executable, "-m", "rynek", "serve", "--config", str(config)]
        ended = subprocess.run(
            [*command, "--data", str(tmp_path / "data")],
            env=environment(), capture_output=True, text=True, check=False, timeout=90,
        )  # fmt: skip
        assert str(ended.returncode) in line.partition("=")[2].split()
        assert said in ended.stderr.splitlines()[-1]
        assert not (tmp_path / "data").exists()
