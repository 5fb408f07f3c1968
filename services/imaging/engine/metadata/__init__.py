"""EXIF, XMP and IPTC: read fields for a client, and choose what a rendition keeps.

Imports Pillow, the contracts and `safety`. Metadata comes from strangers' files: what can't be read
counts as absent, and nothing here raises because of it. Start at `policy.py`.
"""
