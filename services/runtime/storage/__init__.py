"""Keep image bytes out of messages: records in Redis, and bytes in a store.

`images.Images` and `renditions.Renditions` serve an event loop. May import contracts and
`runtime.redis`. Start reading at `blobs.py`.
"""
