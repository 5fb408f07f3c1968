"""What keeps Darkroom from running here, in a line a person can act on."""


class CannotRun(Exception):
    """Its text goes to stderr as it is, and the runner ends with exit code 1."""
