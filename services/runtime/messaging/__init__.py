"""Messages between processes over Redis: their envelope, how they are consumed and published.

Consumers of channels, lists and streams, and the outbox for messages that nobody waits for. Knows
neither FastStream nor handlers; may import `liveness`, `redis`, `telemetry` and what is below.
Start reading at `envelope`, then `consumer`.
"""
