"""Origins of images: uploads, and the URLs, buckets and folders of the file of sources.

Start with `acquire.py`, through which every image comes. `uploads/` reads request bodies, `kinds/`
has a module for each kind of source, and `originals.py` remembers what was fetched. Imports
Starlette, the settings, `access`, `outbound` and `services.runtime.storage`.
"""
