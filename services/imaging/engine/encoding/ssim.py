"""Structural similarity of two images, by their luma at a reduced size.

Wang, Bovik, Sheikh and Simoncelli, "Image Quality Assessment: From Error Visibility to Structural
Similarity", IEEE Transactions on Image Processing 13 (4), 2004. Windows are 8 x 8 and do not
overlap, so that Pillow's own loops do the work in milliseconds.
"""

from PIL import Image, ImageMath

from services.imaging.engine.raster.alpha import flatten_on_white

_MAX_SIDE = 2048
_WINDOW = 8
_C1 = (0.01 * 255) ** 2
_C2 = (0.03 * 255) ** 2


def luma_of(image: Image.Image) -> Image.Image:
    """Return an image's luma on white, in mode F, as `similarity` compares it.

    Both sides are divided by the smallest whole number that leaves 2048 pixels or less.
    """
    # On white: pixels that are wholly transparent may differ in colour.
    luma = flatten_on_white(image).convert("L")
    longest = max(luma.size)
    if longest > _MAX_SIDE:
        luma = luma.reduce(-(-longest // _MAX_SIDE))
    return luma.convert("F")


def similarity(one: Image.Image, other: Image.Image) -> float:
    """Return the mean SSIM of two results of `luma_of` with equal sizes; 1 for equal images."""
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

    by_window = ImageMath.lambda_eval(
        ssim, x=mean_one, y=mean_other, xx=squares_one, yy=squares_other, xy=products
    )
    assert isinstance(by_window, Image.Image)
    mean = by_window.reduce(by_window.size).getpixel((0, 0))
    assert isinstance(mean, float)
    return mean


def _product(one: Image.Image, other: Image.Image) -> Image.Image:
    product = ImageMath.lambda_eval(lambda args: args["a"] * args["b"], a=one, b=other)
    assert isinstance(product, Image.Image)
    return product
