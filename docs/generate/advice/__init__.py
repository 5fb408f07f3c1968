"""The causes of each error, and the actions against it: texts that the code itself does not have.

`ADVICE` has an entry for each `Code`. Titles, statuses, meanings and retries are not here: they
come from `contracts/errors.py` and `services/gateway/http/problems.py`.
"""

from docs.generate.advice.access import ACCESS
from docs.generate.advice.addresses import ADDRESSES
from docs.generate.advice.entry import Advice, Example
from docs.generate.advice.images import IMAGES
from docs.generate.advice.limits import LIMITS
from docs.generate.advice.requests import REQUESTS
from docs.generate.advice.service import SERVICE
from docs.generate.advice.sources import SOURCES
from docs.generate.advice.store import STORE

__all__ = ["ADVICE", "Advice", "Example"]

ADVICE = {**REQUESTS, **ACCESS, **ADDRESSES, **IMAGES, **LIMITS, **SERVICE, **SOURCES, **STORE}
