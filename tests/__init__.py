"""Tests, in folders that mirror the packages. Start at `processes.py`: it starts real services."""
