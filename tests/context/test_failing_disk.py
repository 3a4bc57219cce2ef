"""Who waits for a write is answered, whatever the disk says when it is asked why."""

from __future__ import annotations

import asyncio
import errno
import os
from pathlib import Path
from typing import Any

import apsw
import pytest

from rynek.base.clock import SystemClock
from rynek.base.errors import Unavailable
from rynek.context.store import writer
from rynek.context.store.sqlite import SqliteStore


def test_a_write_is_answered_where_the_disk_may_not_be_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked = os.stat

    def stat(path: Any, *args: Any, **named: Any) -> os.stat_result:
        if str(path).endswith("state.db"):  # as XFS answers once it has shut itself down
            raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))
        return looked(path, *args, **named)

    def failed(_: Any) -> float:
        raise apsw.IOError("disk I/O error")

    async def scenario() -> None:
        store = SqliteStore(tmp_path, SystemClock())
        with monkeypatch.context() as broken:
            broken.setattr(os, "stat", stat)
            broken.setattr(writer, "_committed", failed)
            with pytest.raises(Unavailable):
                async with asyncio.timeout(10):
                    await store.write(
                        lambda txn: txn.later("DELETE FROM cursor WHERE seq < ?", (0,))
                    )
        await store.close()

    asyncio.run(scenario())
