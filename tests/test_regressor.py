from functools import partial

import pytest
import torch

from dvelib.matching import inter_ocular_error
from dvelib.regressor import (
    LandmarkRegressor,
    _attention,
    _positions,
    denormalise_points,
    expected_positions,
    landmark_loss,
    normalise_points,
)
from tests.golden_data import load, relative

SHAPES = [(3, 5, 16, 9, 7), (2, 3, 4, 12, 12)]  # images, filters, dimension, height, width


def plain_positions(descriptors, filters, scale):
    """Expected positions by the formula: the whole softmax, then the weighted mean position."""
    height, width = descriptors.shape[2:]
    attention = (scale * torch.einsum("cd,bdhw->bchw", filters, descriptors)).flatten(2).softmax(2)
    attention = attention.unflatten(2, (height, width))
    axes = (torch.linspace(-1, 1, n, dtype=descriptors.dtype) for n in (height, width))
    y, x = ((attention.sum(other) * axis).sum(2) for other, axis in zip((3, 2), axes, strict=True))
    return torch.stack([x, y], 2)


def golden_regressor(golden):
    inner, group = golden["inner_weight"], golden["group_weight"]
    landmarks = group.shape[0] // 2
    regressor = LandmarkRegressor(
        inner.shape[1], landmarks, inner.shape[0] // landmarks, float(golden["softargmax_mul"])
    )
    regressor.load_state_dict({"inner_conv.weight": inner, "reg_conv.weight": group})
    return regressor


@pytest.mark.parametrize("case", range(3))
def test_outputs_are_the_published_ones(case):
    golden = load(f"regressor_{case}")
    landmarks, virtual = golden_regressor(golden)(golden["descriptors"])
    torch.testing.assert_close(landmarks, golden["prediction"], atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(virtual, golden["virtual_keypoints"], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("case", [1, 2])
def test_loss_gradients_and_error_are_the_published_ones(case):
    golden = load(f"regressor_{case}")
    regressor = golden_regressor(golden)
    landmarks, _ = regressor(golden["descriptors"])
    truth = golden["keypoints_normalized"]
    loss = landmark_loss(landmarks, truth)
    loss.backward()
    assert loss.item() == pytest.approx(golden["smooth_l1_alpha10"].item(), rel=1e-5)
    assert relative(regressor.inner_conv.weight.grad, golden["grad_inner"]) < 1e-4
    assert relative(regressor.reg_conv.weight.grad, golden["grad_group"]) < 1e-4
    error = inter_ocular_error(landmarks, truth, (0, 1)).mean().item()
    assert error == pytest.approx(golden["iod_error_percent"].item(), rel=1e-5)


@pytest.mark.parametrize(("dim", "landmarks", "count"), [(64, 5, 17_000), (64, 68, 231_200)])
def test_parameter_counts_are_the_published_ones(dim, landmarks, count):
    assert sum(p.numel() for p in LandmarkRegressor(dim, landmarks).parameters()) == count


def test_a_landmark_does_not_depend_on_the_filters_of_others():
    regressor = LandmarkRegressor(8, 3)
    descriptors = torch.randn(1, 8, 6, 6)
    before, _ = regressor(descriptors)
    with torch.no_grad():
        regressor.inner_conv.weight[50:100] += 1
    after, _ = regressor(descriptors)
    assert torch.equal(before[:, [0, 2]], after[:, [0, 2]])
    assert not torch.equal(before[:, 1], after[:, 1])


def test_denormalising_points_inverts_normalising():
    points = torch.rand(4, 5, 2) * 70
    torch.testing.assert_close(denormalise_points(normalise_points(points, 70), 70), points)
    assert normalise_points(torch.tensor([0.0, 69.0]), 70).tolist() == [-1, 1]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("scale", [0.1, 3.0, 100.0])
def test_values_and_gradients_are_those_of_the_plain_formula(shape, scale):
    """The scales range from an almost flat softmax to an almost hard maximum."""
    forms = plain_positions, expected_positions
    plain, ours = (values_and_gradients(form, shape, scale) for form in forms)
    for one, other in zip(plain, ours, strict=True):
        assert (other - one).norm() <= 1e-12 * max(one.norm(), 1)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("scale", [0.1, 3.0, 100.0])
def test_rounding_errors_in_float32_are_like_those_of_the_plain_formula(shape, scale):
    truth = values_and_gradients(plain_positions, shape, scale)
    forms = plain_positions, expected_positions
    plain, ours = (values_and_gradients(f, shape, scale, torch.float32) for f in forms)
    for exact, one, other in zip(truth, plain, ours, strict=True):
        rounding = (one - exact).norm() + 1e-6 * max(exact.norm(), 1)
        assert (other - exact).norm() <= 5 * rounding


def values_and_gradients(form, shape, scale, dtype=torch.float64):
    images, filters, dimension, height, width = shape
    generator = torch.Generator().manual_seed(0)
    drawn = (
        torch.randn(size, dtype=torch.float64, generator=generator).to(dtype)
        for size in ((images, dimension, height, width), (filters, dimension), (images, filters, 2))
    )
    descriptors, weights, wanted = drawn
    inputs = descriptors.requires_grad_(), weights.requires_grad_()
    found = form(*inputs, scale)
    return found.detach(), *torch.autograd.grad((found * wanted).sum(), inputs)


def test_expected_positions_pass_gradcheck():
    descriptors = torch.randn(2, 3, 4, 5, dtype=torch.float64, requires_grad=True)
    filters = torch.randn(3, 3, dtype=torch.float64, requires_grad=True)
    function = partial(expected_positions, scale=2.0)
    assert torch.autograd.gradcheck(function, (descriptors, filters))


def test_expected_positions_do_not_depend_on_the_size_of_tiles(monkeypatch):
    descriptors, filters = torch.randn(3, 8, 6, 6), torch.randn(11, 8)
    whole = expected_positions(descriptors, filters, 10.0)
    monkeypatch.setattr("dvelib.regressor._TILE_ELEMENTS", 100)  # two filters at a time
    torch.testing.assert_close(expected_positions(descriptors, filters, 10.0), whole)


def test_one_bright_cell_is_the_expected_position():
    descriptors = torch.zeros(1, 1, 5, 9)
    descriptors[0, 0, 3, 2] = 1
    found = expected_positions(descriptors, torch.ones(1, 1), 1000.0)
    torch.testing.assert_close(found[0, 0], torch.tensor([2 / 4 - 1, 3 / 2 - 1]))


def test_the_form_for_gpus_agrees_with_the_plain_formula():
    """PyTorch's attention also runs on a CPU, so no GPU is needed."""
    descriptors, filters = torch.randn(2, 3, 6, 7), torch.randn(4, 3)
    positions = _positions(6, 7, descriptors)
    fused = _attention(descriptors.flatten(2), filters, positions, 5.0)
    torch.testing.assert_close(fused, plain_positions(descriptors, filters, 5.0))


def test_nan_descriptors_give_nan_landmarks():
    descriptors = torch.randn(2, 4, 5, 5)
    descriptors[1, 2, 3, 3] = torch.nan
    found, _ = LandmarkRegressor(4, 3)(descriptors)
    assert found[0].isfinite().all() and found[1].isnan().all()


def test_the_loss_ignores_landmarks_that_are_not_annotated():
    predicted, truth = torch.rand(4, 5, 2, requires_grad=True), torch.rand(4, 5, 2)
    known = landmark_loss(predicted[:, 1:], truth[:, 1:])
    truth[:, 0] = torch.nan
    loss = landmark_loss(predicted, truth)
    torch.testing.assert_close(loss, known)
    gradient = torch.autograd.grad(loss, predicted)[0]
    assert gradient[:, 0].eq(0).all() and gradient[:, 1:].ne(0).any()
