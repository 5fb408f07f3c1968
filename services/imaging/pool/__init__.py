"""Pool of processes in which all pixel work runs.

`executor` admits calls and hands them to processes; `priority` decides which call is next; `tasks`
holds the functions that run in a process. May import the engine, the runtime and the contracts.
Start reading at `Executor.run`.
"""
