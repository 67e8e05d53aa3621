import pytest
import torch

from dvelib.matching import (
    inter_ocular_error,
    match_full_resolution,
    match_points,
    pixel_error,
    upsample_descriptors,
)
from tests.golden_data import load


def test_matches_and_errors_are_the_published_ones():
    golden = load("matching_0")
    source, target = golden["descriptors"]
    points = golden["keypoints"]
    matched = match_points(source, target, points[0], stride=2)
    torch.testing.assert_close(matched.double(), golden["matched_xy"][:, 0])
    side = int(golden["imwidth"] - 2 * golden["crop"])
    error = pixel_error(matched, points[1, 0], side)
    torch.testing.assert_close(error.double(), golden["pixel_error_vs_first_keypoint"][:, 0])


def test_queries_round_half_to_even_and_stay_on_the_lattice():
    descriptors = torch.eye(16).view(16, 4, 4)
    points = torch.tensor([[1.0, 0.0], [3.0, 5.0], [9.0, -3.0]])
    matched = match_points(descriptors, descriptors, points, stride=2)
    assert matched.tolist() == [[0, 0], [4, 4], [6, 0]]


def test_full_resolution_finds_the_exact_pixel_for_descriptors_of_any_length():
    generator = torch.Generator().manual_seed(0)
    source = torch.randn(1, 32, 10, 10, generator=generator)
    points = torch.tensor([[[3.0, 5.0], [7.0, 11.0], [18.0, 0.0]]])
    assert torch.equal(match_full_resolution(source, 7 * source, points, stride=2), points)


def test_upsampling_keeps_the_cells_and_averages_between_them():
    features = torch.randn(1, 3, 4, 4)
    dense = upsample_descriptors(features, 2)
    torch.testing.assert_close(dense[..., ::2, ::2], features)
    torch.testing.assert_close(dense[..., 0, 1], features[..., 0, :2].mean(2))
    torch.testing.assert_close(dense[..., 0, 7], features[..., 0, 3])


def test_pixel_error_is_rescaled_to_seventy_pixels():
    error = pixel_error(torch.tensor([[3.0, 4.0]]), torch.zeros(1, 2), size=96)
    assert error.item() == pytest.approx(5 * 70 / 96)


def test_inter_ocular_error_in_percent():
    truth = torch.tensor([[[0.0, 0.0], [10.0, 0.0], [5.0, 5.0]]])
    predicted = truth + torch.tensor([0.3, 0.4])
    torch.testing.assert_close(
        inter_ocular_error(predicted, truth, (0, 1)), torch.full((1, 3), 5.0)
    )


def test_coinciding_eyes_are_named():
    truth = torch.rand(3, 5, 2)
    truth[1, 1] = truth[1, 0]
    with pytest.raises(ValueError, match="image 1: eyes"):
        inter_ocular_error(truth, truth, (0, 1))
