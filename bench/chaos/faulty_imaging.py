"""The imaging service with faulty renders: `faststream run bench.chaos.faulty_imaging:app`."""

import os

from bench.chaos.faults import VARIABLE
from services.imaging.app import create_app
from services.imaging.pool.process import Program
from services.imaging.settings import ImagingSettings

env = {name: os.environ[name] for name in (VARIABLE, "REDIS_URL")}

app = create_app(ImagingSettings(), Program("bench.chaos.faults", env))
