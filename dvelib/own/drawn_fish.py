"""Drawn fish with five landmarks: pictures without faces for trying out the commands.

Fish differ in place, size, direction, bend, proportions and colours, on backgrounds with plants and
pebbles. They are drawn four times as large and reduced, so that edges are smooth.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from dvelib.common.files import write_json
from dvelib.data.folder import LANDMARKS_FILE

__all__ = ["LANDMARKS", "draw_fish"]

LANDMARKS = ("nose", "eye", "back fin", "upper tail", "lower tail")
SHAPE = (160, 128)  # width and height of a picture
LARGER = 4


def draw_fish(folder: Path | str, count: int = 70, test: int = 20, seed: int = 0) -> Path:
    """Write so many pictures and their ``landmarks.csv``; the last ``test`` are kept for testing.

    Returns the folder. Pictures of one seed are the same on every call.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(seed)
    rows = []
    for number in range(count):
        picture, points = _fish(random)
        name = f"fish{number:03d}.png"
        picture.save(folder / name)
        split = "test" if number >= count - test else "train"
        rows.append([name, split, *(f"{value:.2f}" for value in points.ravel())])
    header = ["file", "split", *(f"{axis}{k}" for k in range(len(LANDMARKS)) for axis in "xy")]
    with (folder / LANDMARKS_FILE).open("w", newline="") as stream:
        csv.writer(stream, lineterminator="\n").writerows([header, *rows])
    write_json(folder / "landmarks.json", {"names": list(LANDMARKS)})
    return folder


def _fish(random: np.random.Generator) -> tuple[Image.Image, np.ndarray]:
    """A picture and its landmarks ``[5,2]`` in its pixels."""
    width, height = SHAPE
    image = Image.new("RGB", (width * LARGER, height * LARGER), _colour(random, (40, 90, 130), 30))
    pen = ImageDraw.Draw(image)
    _background(pen, random)
    length, belly = random.uniform(26, 34), random.uniform(0.42, 0.6)
    bend, turn = random.uniform(-0.3, 0.3), random.uniform(-0.45, 0.45)
    centre = np.array([width, height]) / 2 + random.uniform(-10, 10, 2)

    def place(points: list[tuple[float, float]]) -> np.ndarray:
        """Points in units of half a fish, nose at -1, in pixels of the picture."""
        x, y = np.array(points).T
        y = y + bend * np.maximum(x, 0) ** 2  # the tail swings
        turned = [x * np.cos(turn) - y * np.sin(turn), x * np.sin(turn) + y * np.cos(turn)]
        return centre + length * np.stack(turned, axis=1)

    def fill(points: list[tuple[float, float]], colour: tuple[int, int, int]) -> None:
        pen.polygon([tuple(p) for p in (place(points) + 0.5) * LARGER], fill=colour)

    fork = random.uniform(0.35, 0.55)
    body, fins = _colour(random, (220, 140, 60), 35), _colour(random, (190, 80, 60), 30)
    angles = np.linspace(0, 2 * np.pi, 60)
    outline = [(np.cos(a) * 1.0, belly * np.sin(a) * (1 - 0.25 * np.cos(a))) for a in angles]
    fin_tip = (0.25, -belly - random.uniform(0.25, 0.4))
    fill([(-0.3, -belly * 0.85), fin_tip, (0.5, -belly * 0.6)], fins)
    fill([(0.85, 0.0), (1.55, -fork), (1.3, 0.0), (1.55, fork)], fins)
    fill(outline, body)
    fill([(-0.15, 0.1), (0.25, 0.3), (0.2, 0.0)], fins)
    points = place([(-1.0, 0.0), (-0.62, -0.12), fin_tip, (1.55, -fork), (1.55, fork)])
    _dot(pen, points[1], 3.2, (250, 250, 250))
    _dot(pen, points[1], 1.8, (10, 10, 10))
    return image.resize(SHAPE, Image.Resampling.BOX), points


def _background(pen: ImageDraw.ImageDraw, random: np.random.Generator) -> None:
    width, height = SHAPE
    for x in random.uniform(0, width, 6):  # plants
        top = random.uniform(height * 0.3, height * 0.8)
        line = [(x, height), (x + random.uniform(-8, 8), (top + height) / 2), (x, top)]
        pen.line(
            [(a * LARGER, b * LARGER) for a, b in line], _colour(random, (40, 120, 60), 25), 14
        )
    for x in random.uniform(0, width, 14):  # pebbles
        at = np.array([x, height - random.uniform(0, 10)])
        _dot(pen, at, random.uniform(3, 7), _colour(random, (120, 110, 95), 30))


def _dot(
    pen: ImageDraw.ImageDraw, at: np.ndarray, radius: float, colour: tuple[int, int, int]
) -> None:
    x, y = (at + 0.5) * LARGER
    r = radius * LARGER
    pen.ellipse([x - r, y - r, x + r, y + r], fill=colour)


def _colour(
    random: np.random.Generator, base: tuple[int, int, int], spread: int
) -> tuple[int, int, int]:
    return tuple(np.clip(random.integers(-spread, spread + 1, 3) + base, 0, 255).tolist())
