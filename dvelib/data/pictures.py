"""Opening a picture that may be damaged, hostile, or no picture at all.

Only formats that Pillow decodes itself are opened, whatever the file is called: for PostScript it
would run another program. A picture of more than `MOST_PIXELS` is refused, and large ones are
decoded one at a time. A user's picture is turned upright, as viewers show it; pictures of published
datasets are read as stored (`dvelib.data.layout.Layout.read`).
"""

from __future__ import annotations

import errno
import stat
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from threading import Lock
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageOps

from dvelib.common.errors import StudyError

__all__ = ["FORMATS", "BadPicture", "as_stored", "decode_rgb", "open_rgb", "upright_rgb"]

FORMATS = ("JPEG", "PNG", "BMP", "WEBP", "GIF", "TIFF", "PPM")
MOST_PIXELS = 89_478_485  # beyond this number Pillow warns of a hostile file
LARGE = 2**24  # pixels
# Errors of the machine, which say nothing about the file.
NOT_NOW = (errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EACCES, errno.ENOSPC)
PAPER = (255, 255, 255)  # what lies behind a transparent picture
_large_ones = Lock()


class BadPicture(Exception):
    """A file that is no picture, or a damaged one; the message is the reason."""


def as_stored(image: Image.Image) -> Image.Image:
    """The picture as RGB, not turned."""
    return image.convert("RGB")


def open_rgb(path: Path, read: Callable[[Image.Image], Image.Image] = as_stored) -> Image.Image:
    """A picture as RGB. ``read`` makes RGB of the opened picture: `as_stored` or `upright_rgb`.

    Raises BadPicture, and StudyError where the file may be good but memory or disk failed.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise BadPicture("it is no regular file")
        return decode_rgb(path, read)
    except MemoryError:
        raise StudyError(
            f"too little memory is free to decode {path}: free some, and run again"
        ) from None
    except Exception as error:  # Pillow's decoders raise almost anything on a broken file
        if getattr(error, "errno", None) in NOT_NOW:
            raise StudyError(f"{path} cannot be read ({error.strerror}): run again") from None
        reason = " ".join(str(error).split()).replace(str(path), "the file")
        raise BadPicture(reason) from None


def decode_rgb(source: Path | BinaryIO, read: Callable[[Image.Image], Image.Image]) -> Image.Image:
    """The part of `open_rgb` that opens and decodes; also of bytes in memory.

    Raises BadPicture for too many pixels, and whatever Pillow raises on a broken picture.
    """
    with Image.open(source, formats=FORMATS) as image:
        if (pixels := image.width * image.height) > MOST_PIXELS:
            raise BadPicture(f"it has {pixels:,} pixels, more than {MOST_PIXELS:,}")
        with _large_ones if pixels > LARGE else nullcontext():
            return read(image)


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
