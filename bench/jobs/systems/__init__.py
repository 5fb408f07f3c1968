"""One module for each system that is compared; each provides the client of `interface.System`.

Modules of other systems run with the packages of their own virtual environment; from this project
they import the render (`bench.jobs.workload`) and the helpers in this package.
"""
