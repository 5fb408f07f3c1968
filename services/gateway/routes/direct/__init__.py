"""Answers of much-used routes that go past FastAPI, and the code that both ways share.

Start with `plain_delivery.py`; `delivered.py` makes the answers, `descriptions.py` describes
images. Imports the routes' parameters.
"""
