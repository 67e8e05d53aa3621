"""The matches of a point as one HTML page: descriptors inside, similarity computed in the browser.

It needs no kernel, no server and no network. The notebook shows the same page in a frame.
Descriptors are stored in 8 bits: 55 kB a face for 64 dimensions on 25 x 25 cells.
"""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Sequence
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
from dvelib.data.landmark_names import FIVE_LANDMARKS
from dvelib.describers.resampling import cells
from dvelib.explore.scene import Scene
from dvelib.plots.images import descriptor_colours

__all__ = ["DEFAULT", "live_frame", "live_page", "write_live_page"]

DEFAULT = ("smallnet-64d-plain", "smallnet-64d-exchange")
QUALITY = 82  # of the JPEG pictures


def write_live_page(
    out: Path | str,
    *,
    embeddings: Sequence[Path | str] = DEFAULT,
    images: Path | str | None = None,
    faces: int = 12,
) -> Path:
    """Write the matches of some embeddings on some faces into a file; returns its path.

    ``embeddings``: folders, or names of pretrained ones, all for one size of images. ``images``: a
    folder of pictures, by default drawn faces. ``faces``: how many.
    Raises StudyError for embeddings of several sizes and for a folder with fewer than two pictures.
    """
    if faces < 2:
        raise StudyError(f"--faces must be at least 2, to match one in another, got {faces}")
    opened = [load_embedding(named_folder(folder)) for folder in embeddings]
    layout = folder_name(opened[0].spec.data.name)
    shown = _open_faces(images, layout, faces, *_one_size(opened))
    scene = Scene({e.spec.label: e for e in opened}, shown, faces)
    names = FIVE_LANDMARKS if images is None else ()
    page = live_page(scene, list(scene.embeddings), names, title="Dense descriptors, live")
    out = Path(out).expanduser()
    out.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(out) as path:
        path.write_text(page, encoding="utf-8")
    return out


def live_frame(
    scene: Scene, labels: Sequence[str], names: Sequence[str] = (), *, arrival: str = ""
) -> Markup:
    """The page inside a frame, for a notebook. Arguments as of `live_page`.

    ``arrival``: an identifier; the first frame with it scrolls the notebook to itself.
    """
    title = "Faces and their matches"
    page = live_page(scene, labels, names, title=title, embedded=True, arrival=arrival)
    return fill("live_frame", page=str(page))


def live_page(
    scene: Scene,
    labels: Sequence[str],
    names: Sequence[str] = (),
    *,
    title: str,
    embedded: bool = False,
    arrival: str = "",
) -> Markup:
    """The matches of any point of the scene's faces, by the embeddings with these labels.

    ``names``: of the faces' landmarks; empty if they have none. ``embedded``: without heading and
    footer. ``arrival``: see `live_frame`. The page begins with a typical landmark, or the middle
    of the first face.
    """
    first = scene.embeddings[labels[0]]
    large = scene.large
    files = scene.faces.files[scene.part]
    drawn = scene.faces.root is None
    data = {
        "side": scene.side,
        "cells": cells(scene.side, first.stride),
        "stride": first.stride,
        "shown": large.shape[-1],
        "embedded": embedded,
        "arrival": arrival,
        "embeddings": [_described(scene, label) for label in labels],
        "faces": [
            {"name": f"face {i}" if drawn else Path(file).stem, "picture": _jpeg(picture)}
            for i, (file, picture) in enumerate(zip(files, large, strict=True), scene.first + 1)
        ],
        "landmarks": _landmarks(scene, names),
    } | _beginning(scene, labels, names)
    return fill(
        "live",
        title=title,
        embedded=embedded,
        landmarks=bool(names),
        made=_made([scene.embeddings[label] for label in labels]),
        # Inside a script element only "</" could end it.
        data=Markup(json.dumps(data).replace("</", "<\\/")),
    )


def _described(scene: Scene, label: str) -> dict:
    maps = scene.maps(label).numpy()
    lengths = np.linalg.norm(maps, axis=1)
    if scale := scene.embeddings[label].spec.scale:
        lengths = np.full_like(lengths, scale)  # the training's: unit vectors times the scale
    colours = (255 * descriptor_colours(maps)).round().astype(np.uint8)
    return {
        "label": label,
        "dimension": maps.shape[1],
        "maps": [_text(m) for m in _bytes(maps)],
        "lengths": [_text(n.astype("<f4")) for n in lengths],
        "colours": [_text(c) for c in colours],
    }


def _landmarks(scene: Scene, names: Sequence[str]) -> dict | None:
    """Names and true places, by face; None for a place that is not annotated."""
    if not names:
        return None
    points = [
        [None if np.isnan(at).any() else [round(float(v), 2) for v in at] for at in face]
        for face in scene.landmarks
    ]
    return {"names": list(names), "points": points}


def _beginning(scene: Scene, labels: Sequence[str], names: Sequence[str]) -> dict:
    """The point that is shown first, and the auxiliary face: another one."""
    asked = scene.typical_question(labels[0], labels[-1]) if names else None
    face, point = 0, (scene.side / 2, scene.side / 2)
    if asked:
        face, point = asked[0], np.clip(scene.landmarks[asked], 0, scene.side - 1)
    auxiliary = next(i for i in (2, 1, 0) if i != face and i < len(scene.images))
    start = {"face": face, "x": round(float(point[0]), 2), "y": round(float(point[1]), 2)}
    return {"start": start, "auxiliary": auxiliary}


def _made(embeddings: Sequence[Embedding]) -> str:
    first = embeddings[0].provenance
    trained = first["data"]["dataset"] if first.get("data") else "pictures"
    pairs = " and ".join(f"{e.provenance['pairs']:,}" for e in embeddings)
    return f"Trained without labels on {trained}, {pairs} pairs."


def _one_size(embeddings: Sequence[Embedding]) -> tuple[int, int]:
    sizes = {(e.spec.size, e.spec.crop) for e in embeddings}
    if len(sizes) != 1:
        found = ", ".join(f"{e.spec.label}: {e.spec.size} less {e.spec.crop}" for e in embeddings)
        raise StudyError(
            f"the embeddings are for images of different sizes ({found}): choose those of one size"
        )
    return next(iter(sizes))


def _open_faces(
    images: Path | str | None, layout: str, count: int, size: int, crop: int
) -> FaceDataset:
    if images is None:
        return open_dataset("synthetic", None, "test", size=size, crop=crop, limit=count)
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
