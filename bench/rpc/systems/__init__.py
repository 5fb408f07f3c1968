"""One module for each system that is compared; each provides the functions of `interface.System`.

Each module runs with the packages of its own virtual environment (`bench.environments`), so it
imports its own library and `bench.rpc.load`, nothing else of this project; `darkroom.py` is the
exception.
"""
