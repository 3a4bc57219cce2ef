"""The command line: one thin module per command group."""

import os

# Before numpy is loaded: on matrices of a city's size a second thread costs more than it brings, and
# the last digits of an estimate would depend on how many processors there are.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from rynek.cli.main import main

__all__ = ["main"]
