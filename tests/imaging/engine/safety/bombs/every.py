"""Every crafted file by its name."""

from tests.imaging.engine.safety.bombs.claims import CHUNKS_AND_BOXES, FALSE_HEADERS, FRAMES, SIZES
from tests.imaging.engine.safety.bombs.work import LOOPS, REPEATED_WORK, SHARED_BYTES, TAGS

BOMBS = {
    **SIZES,
    **FRAMES,
    **CHUNKS_AND_BOXES,
    **FALSE_HEADERS,
    **REPEATED_WORK,
    **SHARED_BYTES,
    **TAGS,
    **LOOPS,
}
