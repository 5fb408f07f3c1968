"""Run the command without installing it: `python -m darkroom`."""

from darkroom.command.cli import main

main()
