"""The client: a library and the command `darkroom`, which talk HTTP to a gateway and nothing else."""
