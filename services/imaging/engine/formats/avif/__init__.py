"""AVIF beyond Pillow: loop counts, and the sizes of frames before they are decoded.

Start reading at `frames.py`. `boxes.py` and `nclx.py` are beside this package, for HEIF, too.
"""
