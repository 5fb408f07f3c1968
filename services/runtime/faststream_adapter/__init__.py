"""The only package that uses names which FastStream calls private or internal.

Thin subclasses of FastStream's broker, producer, subscriber, message format and specification hand
over to plain classes of `messaging` and `rpc`, which know nothing of FastStream's insides.
May import `messaging` and everything below; start reading at `broker`.
`tests/runtime/faststream_adapter/test_signatures.py` says which name has moved.
"""
