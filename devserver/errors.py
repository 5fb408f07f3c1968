"""The reason why Darkroom cannot run here, in a line that a person can act on."""


class CannotRun(Exception):
    """Ends the development server with exit code 1; the text is printed to stderr."""
