"""Pictures that show no face: a disc with three coloured dots, whose centres are the landmarks."""

import csv

import numpy as np
from PIL import Image, ImageDraw

SHAPES = [(80, 60), (60, 60), (50, 75)]
COLOURS = [(220, 40, 40), (40, 200, 60), (60, 60, 230)]


def draw(path, shape, random):
    """A picture of that width and height; returns its landmarks ``[3,2]``."""
    picture = Image.new("RGB", shape, tuple(random.integers(30, 90, 3)))
    pen = ImageDraw.Draw(picture)
    side = random.uniform(7, 9)
    x, y = np.array(shape) / 2 + random.uniform(-4, 4, 2)
    pen.ellipse([x - 2 * side, y - 2 * side, x + 2 * side, y + 2 * side], fill=(130, 120, 110))
    points = np.array([[x - side, y - side / 2], [x + side, y - side / 2], [x, y + side]])
    for (px, py), colour in zip(points, COLOURS, strict=True):
        pen.ellipse([px - 3, py - 3, px + 3, py + 3], fill=colour)
    picture.save(path)
    return points


def draw_folder(folder, count):
    """So many pictures, of three shapes in turn; returns their landmarks by name."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(0)
    names = [f"p{i:02}.png" for i in range(count)]
    return {
        name: draw(folder / name, SHAPES[i % len(SHAPES)], random) for i, name in enumerate(names)
    }


def label(folder, points, test=()):
    """A landmarks.csv for these pictures; those named in ``test`` are kept for testing."""
    with (folder / "landmarks.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["file", "split", *(f"{a}{k}" for k in range(3) for a in "xy")])
        for name, places in points.items():
            cells = ["" if np.isnan(v) else f"{v:.2f}" for v in places.ravel()]
            writer.writerow([name, "test" if name in test else "train", *cells])
