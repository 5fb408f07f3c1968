"""Where images come from: today the body of a request.

Imports Starlette, the settings and `services.runtime.storage`. Start with `upload.py`.
"""
