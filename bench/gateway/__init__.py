"""Benchmark of publishing from a web application: requests a second of six endpoints, by users.

It repeats a published load test with Redis in the place of Kafka: an endpoint that publishes
nothing, and five that publish in different ways. Start with `__main__.py`; `app.py` is the service
under load, `echo.py` the worker for the round trip, `wrk.py` the load generator.
"""
