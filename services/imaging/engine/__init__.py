"""Images in, images out: the pure engine; it needs Pillow, libdeflate and the contracts.

No broker, Redis, event loop or runtime may be imported here, so that the engine works alone, in any
process. Start with `pipeline.py`: `pipeline.run(data, pipeline)` takes a file's bytes and returns a
rendition. The packages follow its steps: `decoding`, `operations` on `raster`, `encoding`;
`safety` refuses crafted files, and `formats` has the code for single formats.
"""
