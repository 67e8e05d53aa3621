"""Test pictures: faces pasted into larger pictures, and pictures without a face.

They stand in for photographs with labels: a face takes 15 to 60 % of the picture's side, lies
anywhere, and is turned by up to 20 degrees. Backgrounds and pictures without a face are drawn:
smooth noise, stripes, bricks, coloured shapes, scrambled photographs, drawn animals and smileys.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from dvelib.data import FaceDataset
from dvelib.own.face_framing import FACE_WIDTH, five_of, size_of

__all__ = ["EMPTY", "Scene", "empty_picture", "face_scene"]

SIDE = 480  # pixels
SHARES = (0.15, 0.6)  # width of the face, as a part of the picture's side
TURN = 20.0  # degrees
FEATHER = 6  # pixels over which the edge of the pasted face fades
TILES = 6  # rows of the tiles of a scrambled photograph

Draw = np.random.Generator


@dataclass(frozen=True)
class Scene:
    """A picture ``[S,S,3]`` uint8 with one face; ``landmarks [A,2]`` in its pixels."""

    picture: np.ndarray
    landmarks: np.ndarray
    share: float
    turn: float


def face_scene(faces: FaceDataset, index: int, draw: Draw) -> Scene:
    """A face of a dataset in a larger picture; ``draw`` decides everything else."""
    face = np.ascontiguousarray(faces.images[index].transpose(1, 2, 0))
    points = np.asarray(faces.full_landmarks[index], np.float64)
    five = five_of(points[None])[0]
    share, turn = draw.uniform(*SHARES), draw.uniform(-TURN, TURN)
    factor = share * SIDE / (FACE_WIDTH * size_of(five))
    room = 0.55 * share * SIDE
    place, centre = draw.uniform(room, SIDE - room, 2), five.mean(axis=0)
    angle = np.radians(turn)
    turned = factor * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    background = _BACKGROUNDS[draw.integers(len(_BACKGROUNDS))](draw)
    if draw.random() < 0.25:
        background = scrambled(faces, draw)
    picture = _paste(face, background, turned, centre, place)
    return Scene(picture, (points - centre) @ turned.T + place, share, turn)


def _paste(
    face: np.ndarray, below: np.ndarray, turned: np.ndarray, centre: np.ndarray, place: np.ndarray
) -> np.ndarray:
    """The face over the background, so that its point ``centre`` comes to ``place``."""
    image, mask = Image.fromarray(face), Image.new("L", face.shape[1::-1], 0)
    mask.paste(255, (FEATHER, FEATHER, face.shape[1] - FEATHER, face.shape[0] - FEATHER))
    mask = mask.filter(ImageFilter.GaussianBlur(FEATHER / 2))
    factor = np.sqrt(np.linalg.det(turned))
    shrunk = np.ones(2)
    if factor < 1:  # a transform alone would leave out pixels
        sides = np.maximum(np.round(np.array(image.size) * factor), 1).astype(int)
        shrunk = sides / image.size
        image, mask = (i.resize(tuple(sides), Image.Resampling.BILINEAR) for i in (image, mask))
    back = np.linalg.inv(turned) * shrunk[:, None]
    shift = (centre + 0.5) * shrunk - back @ (place + 0.5)
    options = (Image.Transform.AFFINE, (*back[0], shift[0], *back[1], shift[1]))
    over, weight = (
        np.asarray(i.transform((SIDE, SIDE), *options, Image.Resampling.BILINEAR), np.float32)
        for i in (image, mask)
    )
    weight = weight[..., None] / 255
    return np.round(over * weight + below * (1 - weight)).astype(np.uint8)


def empty_picture(index: int, draw: Draw) -> np.ndarray:
    """A picture ``[S,S,3]`` uint8 without a face; the kinds of `EMPTY` take turns."""
    kinds = list(EMPTY.values())
    return kinds[index % len(kinds)](draw)


def scrambled(faces: FaceDataset, draw: Draw) -> np.ndarray:
    """A photograph of a dataset, cut into tiles that are mixed and turned."""
    step = faces.size // TILES
    photograph = faces.images[draw.integers(len(faces))].transpose(1, 2, 0)
    rows = []
    for _ in range(TILES):
        corners = draw.integers(0, faces.size - step, (TILES, 2))
        tiles = [photograph[y : y + step, x : x + step] for x, y in corners]
        rows.append(np.hstack([np.rot90(tile, draw.integers(4)) for tile in tiles]))
    mixed = Image.fromarray(np.ascontiguousarray(np.vstack(rows)))
    return np.asarray(mixed.resize((SIDE, SIDE), Image.Resampling.BICUBIC))


def _colour(draw: Draw) -> tuple[int, ...]:
    return tuple(int(level) for level in draw.integers(0, 256, 3))


def _canvas(draw: Draw) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    image = Image.new("RGB", (SIDE, SIDE), _colour(draw))
    return image, ImageDraw.Draw(image)


def _noise(draw: Draw) -> np.ndarray:
    total = np.zeros((SIDE, SIDE, 3), np.float32)
    for cells in (4, 8, 16, 32):
        coarse = Image.fromarray(draw.integers(0, 256, (cells, cells, 3)).astype(np.uint8))
        smooth = coarse.resize((SIDE, SIDE), Image.Resampling.BICUBIC)
        total += np.asarray(smooth, np.float32) / cells
    total -= total.min()
    return (255 * total / total.max()).astype(np.uint8)


def _stripes(draw: Draw) -> np.ndarray:
    y, x = np.mgrid[:SIDE, :SIDE]
    angle, frequency = draw.uniform(0, np.pi), draw.uniform(0.05, 0.5)
    first = np.sin(frequency * (x * np.cos(angle) + y * np.sin(angle)))[..., None] > 0
    return np.where(first, _colour(draw), _colour(draw)).astype(np.uint8)


def _bricks(draw: Draw) -> np.ndarray:
    image, pen = _canvas(draw)
    height = int(draw.integers(12, 48))
    for row in range(SIDE // height + 1):
        for column in range(-1, SIDE // (2 * height) + 1):
            x, y = (2 * column + row % 2) * height, row * height
            colour = tuple(int(v) for v in draw.integers(0, 50, 3) + (130, 60, 40))
            pen.rectangle([x + 1, y + 1, x + 2 * height - 2, y + height - 2], fill=colour)
    return np.asarray(image)


def _shapes(draw: Draw) -> np.ndarray:
    image, pen = _canvas(draw)
    for _ in range(draw.integers(1, 9)):
        size = draw.uniform(0.1, 0.5) * SIDE
        x, y = draw.uniform(0, SIDE - size, 2)
        form = draw.integers(3)
        if form == 0:
            pen.ellipse([x, y, x + size, y + size], fill=_colour(draw))
        elif form == 1:
            pen.rectangle([x, y, x + size, y + size], fill=_colour(draw))
        else:
            pen.polygon([(x, y + size), (x + size, y + size), (x + size / 2, y)], _colour(draw))
    return np.asarray(image)


def _smiley(draw: Draw) -> np.ndarray:
    image, pen = _canvas(draw)
    size = draw.uniform(0.2, 0.9) * SIDE
    x, y = draw.uniform(0, SIDE - size, 2)
    pen.ellipse([x, y, x + size, y + size], fill=_colour(draw), outline="black", width=3)
    for side in (0.3, 0.62):
        eye = [x + side * size, y + 0.3 * size, x + (side + 0.08) * size, y + 0.42 * size]
        pen.ellipse(eye, fill="black")
    mouth = [x + 0.25 * size, y + 0.3 * size, x + 0.75 * size, y + 0.8 * size]
    pen.arc(mouth, 20, 160, fill="black", width=max(2, int(size / 40)))
    return np.asarray(image)


def _animal(draw: Draw) -> np.ndarray:
    """A body, a head with pointed ears, an eye and four legs, seen from the side."""
    image, pen = _canvas(draw)
    fur, size = _colour(draw), draw.uniform(0.3, 0.6) * SIDE
    x, y = draw.uniform(0.1, 0.35, 2) * SIDE
    for leg in (0.1, 0.25, 0.75, 0.9):
        left = x + leg * size
        pen.rectangle([left, y + 0.4 * size, left + 0.07 * size, y + 0.9 * size], fill=fur)
    pen.ellipse([x, y, x + size, y + 0.55 * size], fill=fur)
    pen.ellipse([x + 0.8 * size, y - 0.2 * size, x + 1.2 * size, y + 0.2 * size], fill=fur)
    for ear in (0.85, 1.05):
        tip = (x + (ear + 0.05) * size, y - 0.35 * size)
        pen.polygon([(x + ear * size, y), (x + (ear + 0.12) * size, y), tip], fill=fur)
    pen.ellipse([x + 1.02 * size, y - 0.08 * size, x + 1.07 * size, y - 0.03 * size], fill="black")
    return np.asarray(image)


def _plain(draw: Draw) -> np.ndarray:
    """A plain wall: one colour with a gradient and the noise of a camera."""
    ramp = np.linspace(-20, 20, SIDE)[:, None, None] * draw.uniform(-1, 1)
    wall = np.array(_colour(draw)) + ramp + draw.normal(0, 4, (SIDE, SIDE, 3))
    return np.clip(wall, 0, 255).astype(np.uint8)


_BACKGROUNDS: tuple[Callable[[Draw], np.ndarray], ...] = (_noise, _stripes, _bricks, _shapes)
# Kinds of pictures without a face, by name.
EMPTY: dict[str, Callable[[Draw], np.ndarray]] = {
    "smooth noise": _noise,
    "stripes": _stripes,
    "bricks": _bricks,
    "shapes": _shapes,
    "smiley": _smiley,
    "animal": _animal,
    "wall": _plain,
}
