"""Prints the suite's AsyncAPI document: `python -m docs.make_asyncapi > asyncapi.yaml`."""

import sys

from services.runtime.introspection.asyncapi import SuiteDocument

if __name__ == "__main__":
    sys.stdout.write(SuiteDocument().to_yaml())
