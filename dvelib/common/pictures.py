"""Small pictures for pages: WebP as data addresses."""

from __future__ import annotations

import base64
import io

from PIL import Image

__all__ = ["webp"]

QUALITY = 92
WORTH = 1.4  # lossless is kept up to this many times the size of the lossy form


def webp(picture: bytes) -> str:
    """A picture of any format as a data address of WebP.

    It is lossless where that costs little, as with maps and charts, else of high quality.
    """
    with Image.open(io.BytesIO(picture)) as image:
        plain = image.convert("RGBA" if _has_transparency(image) else "RGB")
    lossy = _encoded(plain, quality=QUALITY)
    exact = _encoded(plain, lossless=True)
    best = exact if len(exact) <= WORTH * len(lossy) else lossy
    return f"data:image/webp;base64,{base64.b64encode(best).decode()}"


def _has_transparency(image: Image.Image) -> bool:
    if image.mode == "RGBA":
        return image.getextrema()[3][0] < 255
    return "transparency" in image.info


def _encoded(image: Image.Image, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "webp", method=4, **options)
    return buffer.getvalue()
