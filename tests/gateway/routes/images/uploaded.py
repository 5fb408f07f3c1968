"""The picture that the tests of images upload."""

from tests.imaging.pictures import encoded, scenery

PICTURE = scenery(120, 80)


PNG = encoded(PICTURE, "PNG")
