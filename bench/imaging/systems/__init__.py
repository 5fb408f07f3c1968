"""One module for each system; each provides a context manager that yields an `interface.Running`.

`darkroom.py` starts the whole suite, `engine.py` the pixel engine alone; `ipx.py` and `thumbor.py`
start other image servers, with what they share in `http_server.py`.
"""
