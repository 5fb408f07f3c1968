"""The app to run: `faststream run services.imaging.main:app --port 8001`."""

from services.imaging.app import create_app
from services.imaging.settings import ImagingSettings

app = create_app(ImagingSettings())
