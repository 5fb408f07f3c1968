"""Renders from a request to a stored rendition: the service process does all input and output.

Stored renditions and known failures are answered from their records. For the others, the images are
opened, the pool does the pixels, and the renditions are stored. May import the pool, the runtime
and the contracts. Start reading at `renders.py`;
equal requests at the same time meet before it, in `coalescing.py`.
"""
