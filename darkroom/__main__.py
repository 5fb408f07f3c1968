"""Run the command without installing it: `python -m darkroom`."""

from darkroom.cli import main

main()
