"""A process described to operators: health, metrics of the queues, and the AsyncAPI document.

May import every other package of the runtime. Start reading at `health`.
"""
