"""A real MQTT broker for tests: plain, with accounts, and behind TLS."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from tests.conftest import find_mosquitto


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def mosquitto(
    folder: Path,
    *,
    port: int = 0,
    passwords: dict[str, str] | None = None,
    tls: tuple[Path, Path] | None = None,
) -> Iterator[int]:
    """A broker on the loopback interface that ends with the block; its port."""
    program = find_mosquitto()
    assert program is not None, "the test must be marked `mosquitto`"
    port = port or free_port()
    lines = [f"listener {port} 127.0.0.1", f"allow_anonymous {'false' if passwords else 'true'}"]
    if os.getuid() == 0:
        lines.append("user root")  # it would else give up the rights to read the test's files
    if passwords:
        file = folder / "passwords"
        file.write_text("".join(f"{user}:{word}\n" for user, word in passwords.items()))
        file.chmod(0o600)
        subprocess.run([_passwd(program), "-U", str(file)], check=True, capture_output=True)
        lines.append(f"password_file {file}")
    if tls:
        lines += [f"certfile {tls[0]}", f"keyfile {tls[1]}"]
    config = folder / f"mosquitto-{port}.conf"
    config.write_text("\n".join(lines) + "\n")
    with subprocess.Popen(
        [program, "-c", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as process:
        try:
            _wait(process, port)
            yield port
        finally:
            process.terminate()


def _passwd(program: str) -> str:
    beside = Path(program).parents[1] / "bin" / "mosquitto_passwd"
    return str(beside) if beside.exists() else "mosquitto_passwd"


def _wait(process: subprocess.Popen[bytes], port: int) -> None:
    for _ in range(4_000):
        if process.poll() is not None:
            said = process.stderr.read().decode() if process.stderr else ""
            raise RuntimeError(f"mosquitto ended at once: {said[-500:]}")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.2):
            return
        time.sleep(0.02)
    raise RuntimeError("mosquitto did not come up")
