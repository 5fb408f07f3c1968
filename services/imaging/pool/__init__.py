"""Pool of processes in which all pixel work runs.

`executor` admits calls and hands them to `places`, which replace lost and worn processes;
`priority` decides which call is next. Short ones are done as one by `joined_calls`; those that wait
behind long ones go to other workers by `departures`, and `adaptive_limit` says how many messages a
worker takes. `process` is a process as the service sees it, `messages`
what both say. In the process, `child` answers calls within the `sandbox`, and `tasks` does them.
May import the engine, the runtime and the contracts. Start reading at `Executor.run` and
`child.serve`.
"""
