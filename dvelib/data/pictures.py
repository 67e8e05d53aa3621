"""A user's picture as viewers show it: upright, in 8-bit RGB.

Published datasets are read as stored; see `dvelib.data.layout.Layout.read`.
"""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageOps

__all__ = ["upright_rgb"]

PAPER = (255, 255, 255)  # what lies behind a transparent picture


def upright_rgb(image: Image.Image) -> Image.Image:
    """The picture turned as its EXIF orientation says, as 8-bit RGB.

    Pictures of 16 bits are scaled by the range of 16 bits: 65,535 becomes 255. Transparent parts
    become white. CMYK is converted without its colour profile.
    Raises ValueError for 32-bit and floating-point values, whose range is not known.
    """
    is_png = image.format == "PNG"  # whose integers have 16 bits at most
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I;16") or (image.mode == "I" and is_png):
        levels = np.asarray(image).astype(np.int64)
        return Image.fromarray(((levels + 128) // 257).astype(np.uint8)).convert("RGB")
    if image.mode in ("I", "F"):
        raise ValueError("the range of its 32-bit values is not known: store it in 8 or 16 bits")
    if image.has_transparency_data:
        behind = Image.new("RGBA", image.size, (*PAPER, 255))
        return Image.alpha_composite(behind, image.convert("RGBA")).convert("RGB")
    return image.convert("RGB")
