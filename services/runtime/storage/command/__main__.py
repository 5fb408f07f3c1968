"""Run the command without installing it: `python -m services.runtime.storage.command`."""

from services.runtime.storage.command.cli import main

main()
