"""The imaging service with faulty renders: `faststream run bench.chaos.faulty_imaging:app`."""

from bench.chaos import faults
from services.imaging.app import create_app
from services.imaging.pool import tasks
from services.imaging.settings import ImagingSettings

# Callers look these names up at each call; faults.py has saved the original functions before.
tasks.render = faults.render
tasks.render_batch = faults.render_batch

app = create_app(ImagingSettings())
