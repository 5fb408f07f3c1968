"""How alike two images look: structural similarity of their luma, at a reduced size.

Wang, Bovik, Sheikh and Simoncelli, "Image Quality Assessment: From Error Visibility to Structural
Similarity", IEEE Transactions on Image Processing 13 (4), 2004; over windows of 8 x 8 that do not
overlap, which takes milliseconds by Pillow's own loops.
"""

from PIL import Image, ImageMath

from services.imaging.engine.raster.alpha import flatten_on_white

_LONGEST = 2048
_WINDOW = 8
_C1 = (0.01 * 255) ** 2
_C2 = (0.03 * 255) ** 2


def luma_of(image: Image.Image) -> Image.Image:
    """What `similarity` compares: luma, its sides halved, thirded, ... down to 2048 at most."""
    # What is transparent may have any colour.
    luma = flatten_on_white(image).convert("L")
    longest = max(luma.size)
    if longest > _LONGEST:
        luma = luma.reduce(-(-longest // _LONGEST))
    return luma.convert("F")


def similarity(one: Image.Image, other: Image.Image) -> float:
    """The mean SSIM of two images by `luma_of`, of one size: 1 is the same."""
    window = (min(_WINDOW, one.width), min(_WINDOW, one.height))
    mean_one, mean_other = one.reduce(window), other.reduce(window)
    squares_one = _product(one, one).reduce(window)
    squares_other = _product(other, other).reduce(window)
    products = _product(one, other).reduce(window)

    def ssim(args: dict[str, ImageMath._Operand]) -> ImageMath._Operand:
        x, y = args["x"], args["y"]
        variances = args["xx"] - x * x + args["yy"] - y * y
        covariance = args["xy"] - x * y
        return ((x * y * 2 + _C1) * (covariance * 2 + _C2)) / (
            (x * x + y * y + _C1) * (variances + _C2)
        )

    found = ImageMath.lambda_eval(
        ssim, x=mean_one, y=mean_other, xx=squares_one, yy=squares_other, xy=products
    )
    assert isinstance(found, Image.Image)
    mean = found.reduce(found.size).getpixel((0, 0))
    assert isinstance(mean, float)
    return mean


def _product(one: Image.Image, other: Image.Image) -> Image.Image:
    found = ImageMath.lambda_eval(lambda args: args["a"] * args["b"], a=one, b=other)
    assert isinstance(found, Image.Image)
    return found
