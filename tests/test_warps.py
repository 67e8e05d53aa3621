import pytest
import torch

from dvelib.warps import (
    EVALUATION_WARP,
    TRAINING_WARP,
    ThinPlateSpline,
    draw_weights,
    draw_weights_in_order,
    identity_weights,
    pixels,
    warp_keypoints,
    warp_pair,
)
from tests.golden_data import load

THINNED = {0: (1, 1), 1: (5, 5), 2: (4, 8), 3: (5, 5)}  # images, grids


def test_identity_warp_keeps_the_image():
    image = torch.rand(2, 3, 20, 20)
    pair = warp_pair(image, identity_weights(2), identity_weights(2), crop=0)
    torch.testing.assert_close(pair.first, image, atol=1e-5, rtol=0)
    assert pair.flow.abs().max() < 1e-4


def test_affine_weights_give_an_exactly_affine_grid():
    weights = identity_weights(1)
    weights[0, -3:] = torch.tensor([[0.1, -0.2], [0.9, 0.3], [-0.2, 1.1]])
    grid = ThinPlateSpline(17).grid(weights)[0]
    axis = torch.linspace(-1, 1, 17)
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    expected = torch.stack([0.1 + 0.9 * x - 0.2 * y, -0.2 + 0.3 * x + 1.1 * y], 2)
    torch.testing.assert_close(grid, expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("case", range(4))
def test_pairs_are_the_published_ones(case):
    golden = load(f"warp_{case}")
    crop = int(golden["crop"])
    weights = golden["weights_first"][None], golden["weights_second"][None]
    pair = warp_pair(golden["image"][None], *weights, crop)
    images, grids = THINNED[case]
    for view, key in ((pair.first, "im1"), (pair.second, "im2")):
        assert (view[0, :, ::images, ::images] - golden[key]).abs().mean() < 0.01
    for grid, key in ((pair.grid, "grid"), (pair.flow, "flow")):
        tolerance = 1e-4 if key == "grid" else 1e-4 * pair.first.shape[-1] / 2
        assert (grid[:, ::grids, ::grids] - golden[key]).abs().max() < tolerance
    second = warp_keypoints(golden["keypoints"][None], pair.image_grid)
    first = warp_keypoints(second, pair.view_grid)
    torch.testing.assert_close(second[0] - crop, golden["kp2"])
    torch.testing.assert_close(first[0] - crop, golden["kp1"])


def test_keypoints_follow_the_image():
    """A bright dot and the keypoint on it move to the same pixel, up to rounding."""
    generator = torch.Generator().manual_seed(3)
    image = torch.zeros(8, 3, 60, 60)
    points = torch.randint(20, 40, (8, 1, 2), generator=generator).float()
    for b, (x, y) in enumerate(points[:, 0].int().tolist()):
        image[b, :, y - 1 : y + 2, x - 1 : x + 2] = 1
    pair = warp_pair(image, *draw_weights(8, EVALUATION_WARP, generator), crop=0)
    moved = warp_keypoints(warp_keypoints(points, pair.image_grid), pair.view_grid)
    mass = pair.first[:, 0].flatten(1)
    lattice = torch.stack([torch.arange(3600) % 60, torch.arange(3600) // 60], 1).float()
    centre = mass @ lattice / mass.sum(1, keepdim=True)
    assert (centre - moved[:, 0]).abs().max() < 1.5


def test_grid_holds_the_positions_of_the_first_views_pixels_in_the_second_view():
    generator = torch.Generator().manual_seed(1)
    ramp = torch.linspace(0, 1, 64).expand(3, 64, 64)[None]
    pair = warp_pair(ramp, *draw_weights(1, EVALUATION_WARP, generator), crop=10)
    looked_up = torch.nn.functional.grid_sample(pair.second, pair.grid, align_corners=True)
    inside = (pair.grid.abs() < 1).all(3)[:, None].expand_as(looked_up)
    assert (looked_up - pair.first)[inside].abs().max() < 1e-4


def test_flow_is_the_grid_in_pixels():
    generator = torch.Generator().manual_seed(1)
    pair = warp_pair(torch.rand(2, 3, 30, 30), *draw_weights(2, TRAINING_WARP, generator), crop=4)
    assert pixels(pair.grid, 22)[0, 5, 7].tolist() == pytest.approx(
        (pair.flow[0, 5, 7] + torch.tensor([7.0, 5.0])).tolist(), abs=1e-4
    )


def test_draws_have_the_published_spread():
    first, second = draw_weights(4000, TRAINING_WARP, torch.Generator().manual_seed(0))
    control = (0.5 * (0.001**2 + 0.01**2)) ** 0.5
    assert second[:, :100].std().item() == pytest.approx(control, rel=0.02)
    assert first[:, :100].std().item() == pytest.approx(control / 2, rel=0.02)
    assert first[:, 100].std().item() == pytest.approx(0.1, rel=0.05)
    assert (second[:, 101, 0] ** 2 + second[:, 101, 1] ** 2).sqrt().std().item() == pytest.approx(
        0.1, rel=0.05
    )
    angle = torch.atan2(second[:, 102, 0], second[:, 102, 1]).rad2deg()
    assert angle.std().item() == pytest.approx(5.0, rel=0.05)


def test_ordered_draws_do_not_depend_on_the_number_of_images():
    few, many = (draw_weights_in_order(n, EVALUATION_WARP, seed=0) for n in (2, 5))
    torch.testing.assert_close(few[0], many[0][:2])
    torch.testing.assert_close(few[1], many[1][:2])


@pytest.mark.parametrize("crop", [10, -1, 12])
def test_a_crop_of_the_whole_image_is_refused(crop):
    with pytest.raises(ValueError, match=f"a crop of {crop} leaves nothing of a 20-pixel image"):
        warp_pair(torch.zeros(1, 3, 20, 20), identity_weights(), identity_weights(), crop)


def test_a_wrong_number_of_weights_is_refused():
    with pytest.raises(ValueError, match="103"):
        ThinPlateSpline(10).grid(torch.zeros(1, 100, 2))
