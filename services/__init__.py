"""The two services and what both need: `gateway`, `imaging`, `runtime`."""
