"""HTTP and WebSocket endpoints, one module per resource.

Each module has a `router` that `app.py` includes; `parameters.py` has the query and header
parameters that several of them take. Imports FastAPI and every lower layer of the gateway. Start
with `render.py`: a request from its upload to its image.
"""
