"""Dense errors on drawn faces, whose every pixel has a known place."""

import numpy as np
import torch

from dvelib.describers import open_describer, wrap_describer
from dvelib.evaluation.dense_errors import LOW, dense_errors, error_map

SIZE, CROP, PAIRS = 52, 8, 3


def test_answering_the_same_place_has_the_error_of_the_same_place():
    errors = dense_errors(
        open_describer("position", device="cpu"), size=SIZE, crop=CROP, pairs=PAIRS
    )
    assert set(errors["pair"]) == set(range(PAIRS)) and len(errors) > 50 * PAIRS
    np.testing.assert_allclose(errors["error"], errors["same_place"], atol=3)
    assert abs(errors["error"].mean() - errors["same_place"].mean()) < 0.3


def test_a_describer_that_knows_every_place_has_almost_no_error():
    """Canonical positions themselves as descriptors, at every pixel."""
    from dvelib.data.synthetic_dataset import render_split

    faces = render_split("test", 0, 2 * PAIRS, size=SIZE)
    keep = slice(CROP, SIZE - CROP)
    images = faces.images[:, :, keep, keep]
    places = faces.canonical[:, keep, keep].nan_to_num(9).permute(0, 3, 1, 2)
    known = {image.numpy().tobytes(): place for image, place in zip(images, places, strict=True)}
    lost = torch.full((2, SIZE - 2 * CROP, SIZE - 2 * CROP), 9.0)

    def describe(pictures):
        at = torch.stack([known.get(p.numpy().tobytes(), lost) for p in pictures])
        # On a sphere, so that the nearest place has the largest cosine.
        angle = at.clamp(-2, 2) * 0.7
        return torch.cat([angle.cos(), angle.sin()], 1)

    describer = wrap_describer(
        describe, name="places", digest="places", device="cpu", side=SIZE - 2 * CROP
    )
    errors = dense_errors(describer, size=SIZE, crop=CROP, pairs=PAIRS)
    assert errors["error"].median() < 1.0 < errors["same_place"].median()


def test_a_map_has_the_mean_error_of_each_place():
    import pandas as pd

    low = LOW + 0.01
    errors = pd.DataFrame(
        {"x": [low[0], low[0], 0.74], "y": [low[1], low[1], 0.94], "error": [1.0, 3, 7]}
    )
    found = error_map(errors, cells=4)
    assert found[0, 0] == 2 and found[3, 3] == 7
    assert np.isnan(found).sum() == 14
