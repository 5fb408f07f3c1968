"""Answers that are there already, given from the memory of this process.

`delivery.py` puts the parts together (start there): the cache (`cache.py`), the middleware in front
of the routes (`middleware.py`), the key of a request (`question.py`), the news of purges
(`purges.py`) and the lives of what is used (`touches.py`). Routes offer answers by `offer.py`.
Equal requests for an answer that is not there yet share one render (`coalescing.py`).
"""
