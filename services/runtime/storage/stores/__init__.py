"""Stores of blobs' bytes outside of Redis: folders on a disk, or a bucket.

`store.py` says what a store does, `disk.py` and `bucket.py` do it, and `async_store.py` calls one
from an event loop. Nothing here knows records, and only `marker.py` knows Redis.
Start reading at `store.py`.
"""
