"""Version of the suite, in `pip`, the documents of both APIs and the guide."""

VERSION = "0.6.0"
