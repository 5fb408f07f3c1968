"""Animations in every mode of their formats, and with what the specifications leave open."""
