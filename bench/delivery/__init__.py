"""Benchmark of delivery: answers that are there already, small renders, and a page in Chromium.

wrk asks a bare uvicorn application, thumbor, ipx and Darkroom for pictures that exist, and for
thumbnails that do not. Start with `__main__.py`; `contenders.py` has what is compared, `stage.py`
the processes, `questions.py` what is asked, `comparison.py` the load in turns, `busy.py` the
latency beside renders, `trips.py` the trips to Redis, `gallery.py` the page of forty pictures,
`goals.py` what is to be reached.
"""
