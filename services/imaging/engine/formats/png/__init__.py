"""PNG beyond Pillow: chunks, compression, colour chunks, and animations (APNG).

Start reading at `file.py`. `png_transparency.py` lies beside this package: GIF's frames need it too.
"""
