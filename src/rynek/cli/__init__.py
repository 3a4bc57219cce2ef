"""The command line: one thin module per command group."""

from rynek.cli.main import main

__all__ = ["main"]
