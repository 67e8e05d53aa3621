"""Faces of a dataset, larger than the networks see them: for people to look at."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from torch import Tensor

from dvelib.data import SYNTHETIC, FaceDataset
from dvelib.data.known import LAYOUTS
from dvelib.data.pictures import open_rgb
from dvelib.data.synthetic_dataset import render_split

__all__ = ["large_pictures"]


def large_pictures(faces: FaceDataset, part: slice, factor: int) -> Tensor:
    """The chosen faces ``[n,3,f*s,f*s]`` uint8, cropped, at ``factor`` times their size.

    Drawn faces are drawn anew; photographs are read from their files, and no other file is.
    Convention: pixel x of a face lies at ``(x + 0.5) * factor - 0.5`` of its large picture.
    """
    size, crop = faces.size * factor, faces.crop * factor
    first, last, _ = part.indices(len(faces))
    if faces.name in SYNTHETIC:
        images = render_split(faces.split, first, last, size=size).images.numpy()
    else:
        images = _from_files(faces, faces.files[first:last], size)
    return replace(faces, images=images, size=size, crop=crop).cropped()


def _from_files(faces: FaceDataset, files: tuple[str, ...], size: int) -> np.ndarray:
    layout = LAYOUTS[faces.name]
    listing = layout.listing(faces.root, faces.split)
    places = {name: i for i, name in enumerate(listing.files)}
    images = []
    for name in files:
        box = None if listing.boxes is None else listing.boxes[places[name]]
        square = layout.square(open_rgb(faces.root / name, layout.read), size, box)
        images.append(np.asarray(square).transpose(2, 0, 1))
    return np.stack(images)
