"""Scenarios: each is a coroutine that returns an `Outcome`, and raises where a claim fails."""
