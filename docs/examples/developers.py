"""Run every example of the page /developers, as it stands there, against a fresh service."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from importlib.resources import files
from pathlib import Path


def main() -> None:
    """Serve a new folder on a free port; receivers of notifications may be on this machine."""
    with tempfile.TemporaryDirectory() as folder:
        opened = {"RYNEK_ACCESS_ANONYMOUS": "write", "RYNEK_NETWORK_ALLOW_PRIVATE": "true"}
        server = subprocess.Popen(
            [sys.executable, "-m", "rynek", "serve", "--data", folder, "--port", "0"],
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | opened,
        )
        try:
            assert server.stdout is not None
            address = server.stdout.readline().split()[-1].rstrip("/")  # ready http://127.0.0.1:…/
            run_all(address)
        finally:
            server.terminate()
            server.wait(timeout=10)


def run_all(address: str) -> None:
    """Run each example with the address of the service in the environment."""
    told = {
        "API": f"{address}/ngsi-ld/v1",
        "STREAM": f"{address}/c/default/developers/changes",
        "RECEIVER": "http://127.0.0.1:9/nobody",
    }
    folder = Path(str(files("rynek.web") / "examples"))
    for path in sorted(folder.glob("[a-z]*.*"), reverse=True):  # first write, then follow
        shell = [sys.executable] if path.suffix == ".py" else ["sh"]
        done = subprocess.run(
            [*shell, str(path)],
            capture_output=True,
            text=True,
            timeout=60,
            env=os.environ | told,
            check=False,
        )
        print(f"== {path.name}\n{done.stdout}")
        assert done.returncode == 0, done.stderr
        assert done.stdout.strip()


if __name__ == "__main__":
    main()
