"""TIFF beyond Pillow: samples that Pillow has no mode for. Start reading at `image.py`."""
