"""What the tests of all datasets in published layouts share."""

import numpy as np
import pytest
import torch

from dvelib import StudyError
from dvelib.data import dataset_digest, open_dataset
from tests.golden_data import GOLDEN

BOTH_SPLITS = pytest.mark.parametrize("split", ["train", "test"])
# The published sides with their crops.
BOTH_SIZES = pytest.mark.parametrize(("size", "crop"), [(100, 15), (136, 20)])


def refusal(name, root, split, **options):
    """The one sentence with which a split is refused."""
    with pytest.raises(StudyError) as caught:
        open_dataset(name, root, split, **{"size": 100, "crop": 15} | options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def check_labels(dataset, folder):
    """Files and landmarks of a tiny tree are what the published loader returned.

    Published names are relative to ``folder``, ours to the dataset's root.
    """
    truth = _published(dataset)
    assert dataset.files == tuple(f"{folder}{f}" for f in truth["files"])
    assert dataset.landmarks.shape == truth["keypoints"].shape
    assert dataset.landmarks.dtype == np.float32
    np.testing.assert_allclose(dataset.landmarks, truth["keypoints"], atol=1e-3)
    normalised = 2 * dataset.landmarks / (dataset.cropped_size - 1) - 1
    np.testing.assert_allclose(normalised, truth["keypoints_normalized"], atol=1e-4)
    assert dataset.digest == dataset_digest(dataset.name, dataset.root, dataset.split, None)


def check_images(dataset):
    """The first two images are what the published loader returned."""
    images = torch.stack([dataset.image(i) for i in range(2)]).numpy()
    np.testing.assert_allclose(images, _published(dataset)["images"], atol=1e-4)


def _published(dataset):
    prefix = f"{dataset.split}_{dataset.size}_"
    with np.load(GOLDEN / f"{dataset.name}_expected.npz") as stored:
        return {key.removeprefix(prefix): stored[key] for key in stored if key.startswith(prefix)}
