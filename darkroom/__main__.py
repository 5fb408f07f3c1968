"""`python -m darkroom`, where the command is not installed."""

from darkroom.cli import main

main()
