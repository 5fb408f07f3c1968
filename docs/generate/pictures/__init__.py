"""The guide's pictures: a picture of each operation, and one of the page.

Start with `gallery.py` (`make gallery`); `scenes.py` draws the photographs that it renders.
"""
