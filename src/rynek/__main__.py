"""`python -m rynek`: the command line."""

from rynek.cli import main

main()
