"""Run every example of docs/queries.md, as it stands there, against a fresh service."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

PAGE = Path(__file__).parents[1] / "queries.md"


def main() -> None:
    """Serve a new folder on a free port and run the page from top to bottom."""
    with tempfile.TemporaryDirectory() as folder:
        server = subprocess.Popen(
            [sys.executable, "-m", "rynek", "serve", "--data", folder, "--port", "0"],
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"RYNEK_ACCESS_ANONYMOUS": "write"},
        )
        try:
            assert server.stdout is not None
            address = server.stdout.readline().split()[-1].rstrip("/")  # ready http://127.0.0.1:…/
            blocks = re.findall(
                r"^```sh\n(.*?)^```", PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE
            )
            done = subprocess.run(
                ["sh", "-e", "-c", "\n".join(blocks)],
                capture_output=True,
                text=True,
                timeout=60,
                env=os.environ | {"API": f"{address}/ngsi-ld/v1"},
                check=False,
            )
            print(done.stdout)
            assert done.returncode == 0, done.stderr + done.stdout[-2000:]
            assert '"speed":50' in done.stdout
        finally:
            server.terminate()
            server.wait(timeout=10)


if __name__ == "__main__":
    main()
