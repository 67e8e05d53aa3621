"""Opening a picture that may be damaged, hostile, or no picture at all.

Only formats that Pillow decodes itself are opened, whatever the file is called: for PostScript it
would run another program. A picture of more than `MOST_PIXELS` is refused, and large ones are
decoded one at a time.
"""

from __future__ import annotations

import errno
import stat
from contextlib import nullcontext
from pathlib import Path
from threading import Lock

from PIL import Image

from dvelib.common.errors import StudyError

__all__ = ["FORMATS", "BadPicture", "open_rgb"]

FORMATS = ("JPEG", "PNG", "BMP", "WEBP", "GIF", "TIFF", "PPM")
MOST_PIXELS = 89_478_485  # beyond this number Pillow warns of a hostile file
LARGE = 2**24  # pixels
# Errors of the machine, which say nothing about the file.
NOT_NOW = (errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EACCES, errno.ENOSPC)
_large_ones = Lock()


class BadPicture(Exception):
    """A file that is no picture, or a damaged one; the message is the reason."""


def open_rgb(path: Path) -> Image.Image:
    """A picture as RGB.

    Raises BadPicture, and StudyError where the file may be good but memory or disk failed.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise BadPicture("it is no regular file")
        with Image.open(path, formats=FORMATS) as image:
            if (pixels := image.width * image.height) > MOST_PIXELS:
                raise BadPicture(f"it has {pixels:,} pixels, more than {MOST_PIXELS:,}")
            with _large_ones if pixels > LARGE else nullcontext():
                return image.convert("RGB")
    except MemoryError:
        raise StudyError(
            f"too little memory is free to decode {path}: free some, and run again"
        ) from None
    except Exception as error:  # Pillow's decoders raise almost anything on a broken file
        if getattr(error, "errno", None) in NOT_NOW:
            raise StudyError(f"{path} cannot be read ({error.strerror}): run again") from None
        reason = " ".join(str(error).split()).replace(str(path), "the file")
        raise BadPicture(reason) from None
