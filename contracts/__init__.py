"""Messages between clients, gateway and workers, as frozen pydantic models.

Imports the standard library and pydantic. Start with `imaging.py`: the requests that workers
answer, and their replies. `operations/` and `outputs.py` have what a client may ask of an image,
`formats.py` the image formats, `jobs.py` the work that is done later, `errors.py` the failures,
`access/` the keys, presets and signed URLs.
Docstrings and descriptions of fields appear in `asyncapi.yaml`, OpenAPI and the README.
"""
