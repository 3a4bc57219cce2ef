"""Types that several threads want at the same time for the first time."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from rynek.base.typed import convert, decode, decode_msgpack, decoder

SOURCE = Path(__file__).parents[2] / "src"
# In a process of its own: without the lock it ends with a segmentation fault.
RACE = """
import sys, threading, types
from rynek.base.typed import convert

SOURCE = '''
from __future__ import annotations
import msgspec
from typing import Literal
class Leaf(msgspec.Struct):
    a: int = 0
    b: str | None = None
class Twig(msgspec.Struct):
    leaves: dict[str, Leaf] = {}
    kind: Literal["x", "y"] = "x"
class Tree(msgspec.Struct):
    twigs: list[Twig] = []
'''
sys.setswitchinterval(1e-6)
for number in range(400):
    made = types.ModuleType(f"made{number}")
    sys.modules[made.__name__] = made
    exec(SOURCE, made.__dict__)
    barrier, found = threading.Barrier(4), []

    def work():
        barrier.wait()
        plain = {"twigs": [{"leaves": {"q": {"a": 1, "b": "x"}}, "kind": "y"}]}
        found.append(convert(plain, made.Tree).twigs[0].leaves["q"].a)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [1, 1, 1, 1], found
"""


def test_threads_that_want_a_type_for_the_first_time_do_not_end_the_process() -> None:
    done = subprocess.run(
        [sys.executable, "-c", RACE],
        env=os.environ | {"PYTHONPATH": str(SOURCE)},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, (done.returncode, done.stderr[-500:])


class Town(msgspec.Struct):
    name: str
    size: int = 0


def test_what_is_not_of_the_type_says_where() -> None:
    assert decode(b'{"name": "Ruse"}', Town) == Town("Ruse")
    assert decode_msgpack(msgspec.msgpack.encode(Town("Ruse", 3)), Town) == Town("Ruse", 3)
    assert convert({"name": "Ruse", "size": "3"}, Town, strict=False) == Town("Ruse", 3)
    assert decoder(Town) is decoder(Town)
    with pytest.raises(msgspec.ValidationError, match=r"\$.size"):
        convert({"name": "Ruse", "size": "3"}, Town)
