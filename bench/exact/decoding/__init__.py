"""Decoding, judged by other decoders: generated files, and the pixels that each decoder sees."""
