"""Regressors in closed form."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from dvelib.checkpoints.specifications import BenchmarkData, ClosedForm, RegressorSpec
from dvelib.data import open_dataset
from dvelib.training.closed_form import descriptors_at, solve_regressor
from dvelib.training.regressors import predict_dataset


class Patches:
    """A describer of patches of 7 x 7 pixels, each less its mean and of length 1."""

    dimension, stride, device, name = 147, 2, torch.device("cpu"), "patches"

    def __call__(self, images):
        found = torch.nn.functional.unfold(images.float(), 7, padding=3, stride=2)
        found = torch.nn.functional.normalize(found - found.mean(1, keepdim=True), dim=1)
        return found.unflatten(2, (images.shape[2] // 2, images.shape[3] // 2))


def shifted(count, seed):
    """One picture, shifted at random; three landmarks shift with it."""
    draw = np.random.default_rng(seed)
    coarse = np.random.default_rng(5).integers(0, 256, (3, 16, 16)).astype(np.uint8)
    scene = coarse.repeat(4, 1).repeat(4, 2)
    corners = draw.integers(0, 12, (count, 2)) * 2
    images = np.stack([scene[:, y : y + 40, x : x + 40] for x, y in corners])
    points = np.array([(28.0, 30), (36, 28), (30, 38)]) - corners[:, None]
    faces = open_dataset("synthetic", None, "train", size=40, crop=0, limit=1)
    names = tuple(map(str, range(count)))
    return replace(
        faces, files=names, images=images, full_landmarks=points.astype(np.float32), identities=None
    )


@pytest.fixture(scope="module")
def faces():
    return shifted(60, 0)


def spec(**changes):
    data = BenchmarkData(name="synthetic")
    return RegressorSpec(
        embedding="e", data=data, closed_form=ClosedForm(), virtual_points=30, **changes
    )


def test_it_finds_what_moves_with_the_picture(faces):
    regressor = solve_regressor(spec(), Patches(), faces)
    test = shifted(30, 1)
    away = np.linalg.norm(predict_dataset(Patches(), regressor, test) - test.landmarks, axis=2)
    mean = np.linalg.norm(faces.landmarks.mean(axis=0) - test.landmarks, axis=2)
    assert mean.mean() > 5 and away.mean() < 1


def test_the_seed_decides_everything(faces):
    few = solve_regressor(spec(), Patches(), faces).state_dict()
    again = solve_regressor(spec(), Patches(), faces).state_dict()
    other = solve_regressor(spec(seed=1), Patches(), faces).state_dict()
    for name, value in few.items():
        assert torch.equal(value, again[name]) and not torch.equal(value, other[name])
        assert value.isfinite().all()


def test_unset_landmarks_are_left_out(faces):
    points = faces.full_landmarks.copy()
    points[::2, 0] = np.nan
    regressor = solve_regressor(spec(), Patches(), replace(faces, full_landmarks=points))
    assert all(value.isfinite().all() for value in regressor.state_dict().values())


def test_descriptors_are_read_where_the_points_are():
    maps = torch.randn(1, 6, 10, 10)
    points = torch.tensor([[[0.0, 0], [19, 19], [torch.nan, 1]]])
    found = descriptors_at(maps, points, 20)
    expected = torch.nn.functional.normalize(torch.stack([maps[0, :, 0, 0], maps[0, :, 9, 9]]))
    torch.testing.assert_close(found[0, :2], expected)
    assert found[0, 2].isnan().all()
