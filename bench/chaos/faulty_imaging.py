"""The imaging service with faulty renders: `faststream run bench.chaos.faulty_imaging:app`."""

from bench.chaos import faults
from services.imaging.app import create_app
from services.imaging.pool import tasks
from services.imaging.settings import ImagingSettings

# Where jobs look them up at each call; faults.py has got hold of the real ones before.
tasks.render = faults.render
tasks.render_some = faults.render_some

app = create_app(ImagingSettings())
