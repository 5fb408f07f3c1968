"""The client: a library and the command `darkroom`. Both talk HTTP to a gateway, nothing else."""
