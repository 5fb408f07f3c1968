"""Prints the suite's AsyncAPI document: `python -m deploy.asyncapi > asyncapi.yaml`."""

import sys

from services.runtime.asyncapi import SuiteDocument

if __name__ == "__main__":
    sys.stdout.write(SuiteDocument().to_yaml())
