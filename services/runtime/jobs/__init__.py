"""Jobs: durable work whose record, event and place in a queue change in one step, in Redis.

`store.Jobs` accepts, finds, cancels and requeues jobs (the gateway's side); `leases.Leases` takes
them up and reports what became of them (a worker's side). Both write through
`transitions.Transitions`, and that through scripts: `queues.lua`, followed by `submit.lua`,
`store.lua`, or both `maintenance.lua` and `dead_letters.lua`. `dead_letters` holds what failed or
can't be read, `webhook_queue` the deliveries that are due; `maintenance` queues retries and
`orphans`. May import contracts, `runtime.redis` and `runtime.messaging`; never `runtime.rpc`. Start
reading at `queues.lua`.
"""
