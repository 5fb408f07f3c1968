"""Job events of this process's clients: received once from Redis, passed to each subscription.

`LiveHub` (start there) finds the subscriptions of a job; a `Subscription` queues the events of one
client. Imports the contracts, the settings and `services.runtime.jobs`; knows no HTTP.
"""
