"""Advice about errors of images and of the operations on them."""

from contracts.errors import Code
from contracts.formats import Format
from docs.generate.advice.entry import ENGINE, HOUSE, Advice, Cause, Example

_FORMATS = ", ".join(format.spec.title for format in Format)

IMAGES: dict[Code, Advice] = {
    Code.INVALID_OPERATION: Advice(
        causes=(
            Cause(
                "The query names an unknown operation or field, or a field's value is out of its "
                "range.",
                ("contracts/operations/notation.py",),
            ),
            Cause(
                "An output's field is unknown, or the named format does not support the field.",
                ("contracts/operations/notation.py",),
            ),
            Cause(
                "The JSON of a job has such a mistake in one of its variants.",
                ("services/gateway/routes/jobs.py", "services/gateway/routes/variants.py"),
            ),
            Cause(
                "A preset does not exist, a variable of it is missing or unknown, or a value is "
                "not listed. `detail` lists what there is.",
                ("contracts/access/presets.py", "services/gateway/access/presets/presets.py"),
            ),
            Cause(
                "The query has a preset and operations, or parameters of the output, too; or the "
                "name `preset` is percent-encoded.",
                (
                    "services/gateway/access/presets/presets.py",
                    "services/gateway/routes/parameters.py",
                ),
            ),
            Cause(
                "The rectangle of `crop` or `extract` reaches out of the image.",
                (f"{ENGINE}/operations/shapes.py",),
            ),
            Cause(
                "The font of a `text` is unknown, lacks a character, or can't write from right to "
                "left.",
                (f"{ENGINE}/operations/fonts.py", f"{ENGINE}/operations/text.py"),
            ),
            Cause(
                "The image of a `watermark` can't be read.",
                (f"{ENGINE}/pipeline.py",),
            ),
            Cause(
                "The result is larger than `max_bytes` at the lowest quality.",
                (f"{ENGINE}/encoding/quality_search.py",),
            ),
            Cause(
                "`lossless` is asked, and the image becomes a format that is always lossy.",
                (f"{ENGINE}/encoding/format_choice.py",),
            ),
            Cause(
                "No running worker has the packages of all formats: of the source, the watermarks "
                "and the result.",
                ("services/imaging/peers.py", f"{ENGINE}/encoding/encode.py"),
            ),
            Cause(
                "A frame of a GIF lasts longer than a GIF can store.",
                (f"{ENGINE}/encoding/encode.py",),
            ),
            Cause(
                "The operations give the frames of an animation different sizes.",
                (f"{ENGINE}/run_animation.py",),
            ),
        ),
        client="Read `detail`: it names the operation, the field, and often the size of the image. "
        "Correct the pipeline; [Operations](../reference/operations.md) and "
        "[Outputs](../reference/outputs.md) have all fields. A crop by `gravity` fits every image.",
        operator="If `detail` names a missing package, install the extra on every worker: "
        "[Formats](../reference/formats.md). If `detail` names a font, add the font to the folder "
        "of `DARKROOM_FONTS`.",
        example=Example(
            f"{HOUSE}\n"
            "curl -sS --data-binary @/tmp/house.jpg "
            "'http://127.0.0.1:8000/v1/render?op=crop:left=1000,top=0,width=2000,height=1000'",
            "The crop reaches to 3000 x 1000; the image is 1800 x 1200.",
        ),
        ends_variants=True,
    ),
    Code.IMAGE_UNREADABLE: Advice(
        causes=(
            Cause(
                "A source has sent bytes that begin like no image: a web page with an error, for "
                "example.",
                ("services/gateway/sources/download.py",),
            ),
            Cause(
                "The bytes are no image: the error page of a proxy, a text, a header without "
                "pixels.",
                (f"{ENGINE}/safety/decode_errors.py",),
            ),
            Cause(
                "The image is cut off, or its pixels are damaged.",
                (
                    f"{ENGINE}/safety/decode_errors.py",
                    f"{ENGINE}/safety/png_chunks.py",
                    f"{ENGINE}/formats/tiff/samples.py",
                    f"{ENGINE}/formats/tiff/kinds.py",
                ),
            ),
            Cause(
                "A GIF or a JPEG XL has no frame, or a frame is larger than its image.",
                (
                    f"{ENGINE}/safety/frame_count.py",
                    f"{ENGINE}/formats/jxl.py",
                    f"{ENGINE}/formats/frame_canvas.py",
                ),
            ),
            Cause(
                "The boxes of an AVIF are damaged, or claim a smaller size than a frame has.",
                (
                    f"{ENGINE}/formats/avif/frames.py",
                    f"{ENGINE}/formats/avif/streams.py",
                ),
            ),
        ),
        client="Open the file in a viewer. Compare its size with the size of the original: an "
        "interrupted upload or copy cuts a file off. Send the whole file as the body: with curl "
        "`--data-binary @file`, not `-d @file`, which removes line breaks.",
        operator="Nothing. The bytes stay until they expire, because others may have uploaded the "
        "same ones. The failure is kept beside them, so that no worker decodes them again in vain. "
        "An upload that could not be read expires within about a minute. A file that a viewer "
        "opens and Darkroom does not is a fault: keep the file and report it.",
        example=Example(
            f"{HOUSE}\n"
            "head -c 200000 /tmp/house.jpg > /tmp/half.jpg\n"
            "curl -sS --data-binary @/tmp/half.jpg "
            "'http://127.0.0.1:8000/v1/render?op=grayscale'",
            "The bytes are not an image, or the image is incomplete.",
        ),
        ends_variants=True,
    ),
    Code.IMAGE_TOO_BIG: Advice(
        causes=(
            Cause(
                "An original of a source has more bytes than the `max_bytes` of its source, or "
                "than `DARKROOM_MAX_BODY`.",
                ("services/gateway/sources/download.py",),
            ),
            Cause(
                "The source has more pixels or frames than the limits of the worker: "
                "`DARKROOM_MAX_MEGAPIXELS`, `DARKROOM_MAX_TOTAL_MEGAPIXELS`, "
                "`DARKROOM_MAX_FRAMES`, `DARKROOM_MAX_BUFFERED_MEGAPIXELS`, "
                "`DARKROOM_MAX_BLANK_MEGAPIXELS`.",
                (f"{ENGINE}/safety/limits.py",),
            ),
            Cause(
                "The result would have more than 16,384 pixels a side, or more than 100 million in "
                "all, or its frames together more than `DARKROOM_MAX_TOTAL_MEGAPIXELS`.",
                (f"{ENGINE}/safety/limits.py", f"{ENGINE}/run_animation.py"),
            ),
            Cause(
                "The file of the result would have more than `DARKROOM_MAX_RESULT` bytes. A large "
                "photograph does as a TIFF or a PNG.",
                (f"{ENGINE}/encoding/encode.py",),
            ),
            Cause(
                "The result is larger than its format can store.",
                (f"{ENGINE}/encoding/encode.py",),
            ),
            Cause(
                "The file consists of more parts than any known writer makes: segments, scans, "
                "chunks, boxes, blocks, tags.",
                (
                    f"{ENGINE}/formats/avif/frames.py",
                    f"{ENGINE}/formats/avif/streams.py",
                    f"{ENGINE}/safety/container_checks.py",
                    f"{ENGINE}/safety/jpeg_segments.py",
                    f"{ENGINE}/safety/png_chunks.py",
                    f"{ENGINE}/safety/tiff_tags.py",
                    f"{ENGINE}/safety/frame_count.py",
                ),
            ),
            Cause(
                "The letters of a `text` would cover too many pixels.",
                (f"{ENGINE}/operations/text.py",),
            ),
            Cause(
                "Pillow refuses the number of pixels that the file claims.",
                (f"{ENGINE}/safety/decode_errors.py",),
            ),
        ),
        client="Read `detail`: it has the size of the image and the limit. Send a smaller image, "
        "or ask for a smaller result. With `animated=false` an animation becomes its first frame.",
        operator="Raise the limit that `detail` names, on every worker: "
        "[Settings](../reference/settings.md). Each pool process may then take more memory, so "
        "raise `DARKROOM_PROCESS_MEMORY` too. The limits of results are fixed.",
        example=Example(
            f"{HOUSE}\n"
            "curl -sS --data-binary @/tmp/house.jpg "
            "'http://127.0.0.1:8000/v1/render?op=pad:width=16000,height=16000'",
            "The result would be 16000 x 16000; at most 16,384 pixels a side and 100,000,000 in "
            "all are made.",
        ),
        ends_variants=True,
    ),
    Code.UNSUPPORTED_FORMAT: Advice(
        causes=(
            Cause(
                "The bytes are of a known format that Darkroom does not read: BMP, ICO, JPEG 2000, "
                "PDF, PSD, SVG.",
                (f"{ENGINE}/decoding/source.py",),
            ),
            Cause(
                "The JPEG has a coding that Darkroom does not read: 12 bits a sample, JPEG-LS, "
                "hierarchical. `detail` names it.",
                (f"{ENGINE}/safety/jpeg_segments.py",),
            ),
            Cause(
                "The TIFF has samples or a compression that Darkroom does not read: CIELab of 16 "
                "bits, CMYK with transparency, WebP. `detail` names them.",
                (f"{ENGINE}/formats/tiff/kinds.py",),
            ),
            Cause(
                "No running worker has the package of the image's format. A job is tried again "
                "first, in case that such a worker starts.",
                ("services/imaging/peers.py", f"{ENGINE}/decoding/source.py"),
            ),
        ),
        client="Convert the image to a format that `detail` lists, or to a JPEG. The bytes decide, "
        "not the file's name or `Content-Type`.",
        operator="If `detail` names a format that no running worker reads, install its extra on a "
        "worker, or better on every worker: [Formats](../reference/formats.md).",
        example=Example(
            "printf '%%PDF-1.7' > /tmp/page.pdf\n"
            "curl -sS --data-binary @/tmp/page.pdf 'http://127.0.0.1:8000/v1/render?op=grayscale'",
            f"Send an image in one of these formats: {_FORMATS}.",
        ),
        ends_variants=True,
    ),
    Code.OUT_OF_MEMORY: Advice(
        causes=(
            Cause(
                "The work took more than `DARKROOM_PROCESS_MEMORY`, in a process that had worked "
                "before and once more in a fresh one.",
                ("services/imaging/pool/messages.py",),
            ),
        ),
        client="Ask for less: `resize` before the other operations, fewer or smaller watermarks, "
        "JPEG or WebP in place of AVIF. Submit a job's variants that need less memory; they do not "
        "fail with the others.",
        operator="1. Raise `DARKROOM_PROCESS_MEMORY` on the workers: "
        "[Settings](../reference/settings.md). The host needs as much for each pool process.\n"
        "2. Or lower `DARKROOM_MAX_MEGAPIXELS` and `DARKROOM_MAX_TOTAL_MEGAPIXELS`: large images "
        "are then refused before they are decoded.",
        example=Example(
            f"{HOUSE}\n"
            "curl -sS --data-binary @/tmp/house.jpg 'http://127.0.0.1:8000/v1/render"
            "?op=resize:width=9000,enlarge=true&timeout=30'",
            "The work takes more memory than a process may have: 400 MiB.",
            start="DARKROOM_PROCESS_MEMORY=400 make run",
        ),
        ends_variants=True,
    ),
}
