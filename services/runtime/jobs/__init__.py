"""Jobs: durable work whose record, event and place in a queue change in one step, in Redis.

`store.Jobs` accepts, finds, cancels and requeues jobs (the gateway's side); `leases.Leases` takes
them up and reports what became of them (a worker's side). Both write through
`transitions.Transitions`, and that through `store.lua`. `webhook_queue` holds the deliveries that
are due, `maintenance` queues retries and orphans. May import contracts, `runtime.redis` and
`runtime.messaging.envelope`; never `runtime.rpc`. Start reading at `store.lua`.
"""
