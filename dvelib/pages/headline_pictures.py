"""The figure that stands for a table, small enough for the index."""

from __future__ import annotations

import base64
import html
import io
import re
from pathlib import Path

__all__ = ["HEADLINE", "headline_picture"]

HEADLINE = "headline"  # the tag of the cell that holds the figure
WIDTH, QUALITY = 800, 80  # pixels, twice what the index shows; of WebP
_IMAGE = re.compile(r'<img alt="([^"]*)"[^>]* src="data:image/png;base64,([^"]+)"')


def headline_picture(notebook: Path) -> dict | None:
    """``src`` (a data address), ``alt``, ``width`` and ``height`` of the tagged cell's figure.

    None where the notebook is not there or has no such figure.
    """
    import nbformat

    if not notebook.exists():
        return None
    cells = nbformat.read(notebook, as_version=4).cells
    tagged = (cell for cell in cells if HEADLINE in cell.metadata.get("tags", []))
    outputs = (output for cell in tagged for output in cell.get("outputs", []))
    shown = (output.get("data", {}).get("text/html", "") for output in outputs)
    found = next(filter(None, map(_IMAGE.search, shown)), None)
    return found and {"alt": html.unescape(found[1]), **_scaled(base64.b64decode(found[2]))}


def _scaled(png: bytes) -> dict:
    from PIL import Image

    buffer = io.BytesIO()
    with Image.open(io.BytesIO(png)) as image:
        small = image.convert("RGB")
        small.thumbnail((WIDTH, WIDTH))
        small.save(buffer, "webp", quality=QUALITY, method=6)
    data = base64.b64encode(buffer.getvalue()).decode()
    return {"src": f"data:image/webp;base64,{data}", "width": small.width, "height": small.height}
