"""Submit jobs and answer requests about them: the code that several routes share.

`submission` stores a job and extends the life of its images; `responses` turns a job into an HTTP
response. Imports `dependencies` and the layers below. Start with `submission.submit`.
"""
