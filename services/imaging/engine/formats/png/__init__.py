"""PNG beyond Pillow: chunks, compression, colour chunks, and animations (APNG).

Start reading at `file.py`. `png_transparency.py` is beside this package, as GIF's frames need it.
"""
