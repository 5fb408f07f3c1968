"""The operations in floating point, written from their definitions; runs with NumPy and SciPy.

Darkroom's packages are not installed in its environment: pictures and operations come in files.
A picture is an array of height x width x 4, red, green, blue and alpha from 0 to 255; colours are
not multiplied by alpha. Gray pictures have three equal colours.
"""
