"""Remote calls: `broker.request(...)` on one side and `broker.serve(...)` on the other.

Requests with their deadline, cancellation and failure, and replies through one inbox a process.
May import `faststream_adapter`, `messaging` and what is below, and never `jobs`.
Start reading at `broker`; a request leaves by `sender` and is handled in `middleware`.
"""
