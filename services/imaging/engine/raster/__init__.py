"""Pixels and sizes: colour conversion, alpha, resampling, placement, and the animation type.

Imports Pillow, the contracts and, for faster kernels, cykooz_resizer; nothing of the engine's other
packages. Operations, decoders and encoders are built on this package. Start at `profiles.py`, which
names the four work modes, then `geometry.py`.
"""
