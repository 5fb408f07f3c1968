"""Webhooks: signed POSTs that report the end of a job, retried until the receiver accepts.

`dispatcher` takes due deliveries from Redis and decides about retries (start there), `sender` makes
one try, `payload` has the body and the signature, `secrets` those of each project. Imports
`outbound`, the settings, `result_links` and `services.runtime.jobs`.
"""
