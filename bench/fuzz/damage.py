"""Damage to files: bits, cuts, repeats and pieces of other files, the same for the same number."""

import random
import zlib

_EXTREMES = (b"\0", b"\xff", b"\x7f\xff\xff\xff", b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x80\0\0\0")


def damaged(files: dict[str, bytes], number: int) -> tuple[str, bytes]:
    """Return the damaged file of case `number`, with the undamaged file's name first.

    The same number gives the same bytes.
    """
    dice = random.Random(number)
    names = sorted(files)
    name = names[number % len(names)]
    body = bytearray(files[name])
    for _ in range(dice.choice((1, 1, 2, 4, 12))):
        # Half of the damage goes to the first 400 bytes, where the headers are.
        at = dice.randrange(dice.choice((len(body), min(len(body), 400))))
        match dice.choice(("byte", "byte", "bit", "extreme", "cut", "twice", "splice", "end")):
            case "byte":
                body[at] = dice.randrange(256)
            case "bit":
                body[at] ^= 1 << dice.randrange(8)
            case "extreme":
                extreme = dice.choice(_EXTREMES)
                body[at : at + len(extreme)] = extreme
            case "cut":
                del body[at : at + dice.randrange(1, 60)]
            case "twice":
                body[at:at] = body[at : at + dice.randrange(1, 200)] * dice.choice((1, 1, 5))
            case "splice":
                other = files[dice.choice([name, dice.choice(names)])]
                start = dice.randrange(len(other))
                part = other[start : start + dice.randrange(1, 300)]
                body[at : at + dice.choice((0, len(part)))] = part
            case _ if dice.random() < 0.3:
                del body[at:]
        body = body or bytearray(b"\0")
    data = bytes(body)
    # Without this, a wrong checksum would end nearly every case of a PNG.
    return name, _with_checksums(data) if dice.random() < 0.8 else data


def _with_checksums(data: bytes) -> bytes:
    """Return a PNG with the checksums that its chunks need; other files as they are."""
    if data[:8] != b"\x89PNG\r\n\x1a\n":
        return data
    body, at = bytearray(data), 8
    while at + 12 <= len(body):
        end = at + 8 + int.from_bytes(body[at : at + 4], "big")
        if end + 4 > len(body):
            break
        body[end : end + 4] = zlib.crc32(body[at + 4 : end]).to_bytes(4, "big")
        at = end + 4
    return bytes(body)
