"""What fuzzing starts from: small pieces of the recorded data, taken when it runs."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
from collections.abc import Iterator

from google.transit import gtfs_realtime_pb2 as pb
from tests.recorded import DATA

SMALL = 24 * 1024
EACH = 12


def files(*patterns: str, most: int = EACH) -> Iterator[bytes]:
    """The starts of recorded files (up to whole lines), of each pattern the first few."""
    for pattern in patterns:
        found = sorted(path for path in DATA.glob(pattern) if path.is_file())
        for path in found[:: max(1, len(found) // most)][:most]:
            yield start(plain(path.name, path.read_bytes()))


def plain(name: str, data: bytes) -> bytes:
    """Bytes without gzip; of a tar its first file."""
    if name.endswith((".tar.gz", ".tgz", ".tar")):
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            for member in archive:
                stream = archive.extractfile(member)
                if stream is not None:
                    return stream.read()
        return b""
    return gzip.decompress(data) if name.endswith(".gz") else data


def start(data: bytes, size: int = SMALL) -> bytes:
    """The bytes themselves when few, else whole lines from their start."""
    if len(data) <= size:
        return data
    return data[: data.rfind(b"\n", 0, size) + 1 or size]


def messages() -> Iterator[bytes]:
    """GTFS-Realtime messages with the first few entities of recorded ones."""
    found = sorted(DATA.glob("gtfs_rt/*/*.pb"))
    for path in found[:: max(1, len(found) // 16)]:
        message = pb.FeedMessage()
        message.ParseFromString(path.read_bytes())
        del message.entity[4:]
        yield message.SerializeToString()


def schedules(lines: int = 12) -> Iterator[dict[str, bytes]]:
    """The first lines of each table of the recorded schedules."""
    for path in sorted(DATA.glob("gtfs/*.zip")):
        with zipfile.ZipFile(path) as archive:
            tables = {}
            for info in archive.infolist():
                if info.filename.endswith(".txt"):
                    with archive.open(info) as stream:
                        tables[info.filename] = b"".join(stream.readline() for _ in range(lines))
            yield tables
