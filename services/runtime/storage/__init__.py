"""Keep image bytes out of messages: a blob store with a time to live.

`blobs.Blobs` serves an event loop, `blobs.BlockingBlobs` a pool process. May import contracts and
`runtime.redis`. Start reading at `blobs.py`.
"""
