"""`faststream run bench.chaos.poisoned:app`: the imaging service, whose renders may be deadly."""

from bench.chaos import toxic
from services.imaging.app import create_app
from services.imaging.pool import tasks
from services.imaging.settings import ImagingSettings

# Where jobs look them up at each call; toxic.py has got hold of the real ones before.
tasks.render = toxic.render
tasks.render_some = toxic.render_some

app = create_app(ImagingSettings())
