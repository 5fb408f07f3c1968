"""Submitting jobs and answering for them: what several routes about jobs share.

`submission` accepts a job and keeps its images alive; `responses` turns a job into an HTTP
response. Imports `dependencies` and the layers below. Start with `submission.submit`.
"""
