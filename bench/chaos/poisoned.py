"""`faststream run bench.chaos.poisoned:app`: the imaging service, whose renders may be deadly."""

from bench.chaos import toxic
from services.imaging import worker
from services.imaging.app import create_app
from services.imaging.settings import ImagingSettings

# Where jobs look them up at each call; toxic.py has got hold of the real ones before.
worker.render = toxic.render
worker.render_some = toxic.render_some

app = create_app(ImagingSettings())
