"""Pool of processes in which all pixel work runs.

`executor` admits calls and hands them to `places`, which replace lost and worn processes;
`priority` decides which call is next. `process` is a process as the service sees it, `messages`
what both say. In the process, `child` answers calls within the `sandbox`, and `tasks` does them.
May import the engine, the runtime and the contracts. Start reading at `Executor.run` and
`child.serve`.
"""
