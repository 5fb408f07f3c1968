"""Messages between processes over Redis: their envelope, their consumers and the outbox.

Consumers read channels, lists and streams; the outbox sends messages without a reply. Knows
neither FastStream nor handlers; may import `liveness`, `redis`, `telemetry` and what is below.
Start reading at `envelope`, then `consumer`.
"""
