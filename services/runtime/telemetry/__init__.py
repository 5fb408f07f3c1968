"""Logs, metrics and traces of a process. Imports no other package of the services.

Start reading at `logging`.
"""
