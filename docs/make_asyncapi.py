"""Print the AsyncAPI document of all services: `python -m docs.make_asyncapi > asyncapi.yaml`."""

import sys

from services.runtime.introspection.asyncapi import suite_yaml

if __name__ == "__main__":
    sys.stdout.write(suite_yaml())
