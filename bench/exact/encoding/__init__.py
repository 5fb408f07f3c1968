"""Encoding, judged by others: what Darkroom writes, read back by programs that are not Darkroom."""
