"""Decode the first picture of the files 0, 1, ... of a folder with FFmpeg's HEVC decoder.

Writes RGB as the file has it, without turns, and prints the size of each in JSON. It runs in an
environment of its own, with PyAV alone.
"""

import json
import sys
from pathlib import Path

import av


def main() -> None:
    """Decode the files. Raises av.FFmpegError."""
    folder, count = Path(sys.argv[1]), int(sys.argv[2])
    for number in range(count):
        with av.open(str(folder / str(number))) as container:
            frame = next(container.decode(video=0)).reformat(format="rgb24")
        plane, row = frame.planes[0], frame.width * 3
        padded = bytes(plane)
        starts = range(0, plane.line_size * frame.height, plane.line_size)
        pixels = b"".join(padded[start : start + row] for start in starts)
        (folder / f"{number}.rgb").write_bytes(pixels)
        sys.stdout.write(json.dumps([frame.width, frame.height]) + "\n")


if __name__ == "__main__":
    main()
