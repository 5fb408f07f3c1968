"""HTTP semantics that routes share: headers, queries, image responses, problem documents.

`accept`, `prefer` and `ranges` read request headers; `responses` and `problems` build answers;
`error_handlers` turns exceptions into problems; `openapi` documents bodies that FastAPI can't see.
Imports FastAPI, the contracts, `middleware` and `services.runtime.storage`; knows no route, job or
Redis. Start with `problems.py`, where a failure's code gets its status.
"""
