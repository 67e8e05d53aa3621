"""The explorer as one HTML file: descriptors inside, similarity computed in the browser.

It needs no kernel, no server and no network. Descriptors are stored in 8 bits: 40 kB a face for 64
dimensions on 25 x 25 cells.
"""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from markupsafe import Markup
from PIL import Image
from torch import Tensor

from dvelib.checkpoints.pretrained import named_folder
from dvelib.checkpoints.storage import Embedding, load_embedding
from dvelib.common.errors import StudyError
from dvelib.common.files import atomic_path
from dvelib.common.markup import fill
from dvelib.data import FaceDataset, open_dataset
from dvelib.data.folder import folder_name
from dvelib.data.synthetic_dataset import render_split
from dvelib.describers.resampling import cells
from dvelib.plots.images import descriptor_colours

__all__ = ["DEFAULT", "live_page", "write_live_page"]

DEFAULT = ("smallnet-64d-plain", "smallnet-64d-exchange")
LARGER = 4  # times as large as the network sees it is a face shown
QUALITY = 82  # of the JPEG pictures


def write_live_page(
    out: Path | str,
    *,
    embeddings: Sequence[Path | str] = DEFAULT,
    images: Path | str | None = None,
    faces: int = 12,
) -> Path:
    """Write the explorer of some embeddings and faces into a file; returns its path.

    ``embeddings``: folders, or names of pretrained ones, all for one size of images. ``images``: a
    folder of pictures, by default drawn faces. ``faces``: how many.
    Raises StudyError for embeddings of several sizes and for a folder with fewer than two pictures.
    """
    opened = [load_embedding(named_folder(folder)) for folder in embeddings]
    size, crop = _one_size(opened)
    layout = folder_name(opened[0].spec.data.name)
    small, large, names = _faces(images, layout, faces, size, crop)
    title = "Dense descriptors, live"
    page = live_page({e.spec.label: e for e in opened}, small, large, names, title=title)
    out = Path(out).expanduser()
    out.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(out) as path:
        path.write_text(page, encoding="utf-8")
    return out


def live_page(
    embeddings: Mapping[str, Embedding],
    small: Tensor,
    large: Tensor,
    names: Sequence[str],
    *,
    title: str,
) -> Markup:
    """The page. ``small [N,3,s,s]``, ``large [N,3,S,S]`` uint8: the same pictures, for the networks
    and for people."""
    parts = []
    for label, embedding in embeddings.items():
        maps = embedding(small).cpu().numpy()
        colours = (255 * descriptor_colours(maps)).round().astype(np.uint8)
        parts.append(
            {
                "label": label,
                "dimension": maps.shape[1],
                "maps": [_text(m) for m in _bytes(maps)],
                "colours": [_text(c) for c in colours],
            }
        )
    first = next(iter(embeddings.values()))
    data = {
        "side": small.shape[-1],
        "cells": cells(small.shape[-1], first.stride),
        "stride": first.stride,
        "shown": large.shape[-1],
        "embeddings": parts,
        "faces": [
            {"name": name, "picture": _jpeg(picture)}
            for name, picture in zip(names, large, strict=True)
        ],
    }
    trained = first.provenance["data"]["dataset"] if first.provenance.get("data") else "pictures"
    pairs = " and ".join(f"{e.provenance['pairs']:,}" for e in embeddings.values())
    return fill(
        "live",
        title=title,
        about="Click to keep a point.",
        made=f"Trained without labels on {trained}, {pairs} pairs.",
        # Inside a script element only "</" could end it.
        data=Markup(json.dumps(data).replace("</", "<\\/")),
    )


def _one_size(embeddings: Sequence[Embedding]) -> tuple[int, int]:
    sizes = {(e.spec.size, e.spec.crop) for e in embeddings}
    if len(sizes) != 1:
        found = ", ".join(f"{e.spec.label}: {e.spec.size} less {e.spec.crop}" for e in embeddings)
        raise StudyError(
            f"the embeddings are for images of different sizes ({found}): choose those of one size"
        )
    return next(iter(sizes))


def _faces(
    images: Path | str | None, layout: str, count: int, size: int, crop: int
) -> tuple[Tensor, Tensor, list[str]]:
    """Pictures for the networks and for people, and their names."""
    if count < 2:
        raise StudyError(f"--faces must be at least 2, to match one in another, got {count}")
    if images is None:
        keep = slice(crop * LARGER, (size - crop) * LARGER)
        large = render_split("test", 0, count, size=size * LARGER).images[:, :, keep, keep]
        drawn = open_dataset("synthetic", None, "test", size=size, crop=crop, limit=count)
        return drawn.cropped(), large, [f"face {i + 1}" for i in range(count)]
    small, large = (_folder(images, layout, size * factor, crop * factor) for factor in (1, LARGER))
    if len(small) < 2:
        raise StudyError(f"{images} has {len(small)} pictures: at least 2 are needed")
    part = slice(count)
    return small.cropped(part), large.cropped(part), [Path(f).stem for f in small.files[part]]


def _folder(images: Path | str, layout: str, size: int, crop: int) -> FaceDataset:
    folder = Path(images).expanduser()
    return open_dataset(layout, folder, "train", size=size, crop=crop, skip_bad=True)


def _bytes(maps: np.ndarray) -> np.ndarray:
    """Unit descriptors ``[N,D,H,W]`` as int8 ``[N,H,W,D]``, each map by its own largest value."""
    unit = maps / np.maximum(np.linalg.norm(maps, axis=1, keepdims=True), 1e-12)
    largest = np.abs(unit).max(axis=(1, 2, 3), keepdims=True)
    return np.moveaxis((127 * unit / largest).round().astype(np.int8), 1, -1)


def _text(values: np.ndarray) -> str:
    return base64.b64encode(np.ascontiguousarray(values).tobytes()).decode()


def _jpeg(picture: Tensor) -> str:
    stream = io.BytesIO()
    image = Image.fromarray(picture.permute(1, 2, 0).contiguous().numpy())
    image.save(stream, "JPEG", quality=QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(stream.getvalue()).decode()
