import pytest
import torch

from dvelib.matching import inter_ocular_error
from dvelib.regressor import (
    LandmarkRegressor,
    denormalise_points,
    landmark_loss,
    normalise_points,
)
from tests.golden_data import load, relative


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


def test_loss_gradients_and_error_are_the_published_ones():
    golden = load("regressor_2")
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


def test_landmarks_do_not_see_each_others_filters():
    regressor = LandmarkRegressor(8, 3)
    descriptors = torch.randn(1, 8, 6, 6)
    before, _ = regressor(descriptors)
    with torch.no_grad():
        regressor.inner_conv.weight[50:100] += 1
    after, _ = regressor(descriptors)
    assert torch.equal(before[:, [0, 2]], after[:, [0, 2]])
    assert not torch.equal(before[:, 1], after[:, 1])


def test_points_go_there_and_back():
    points = torch.rand(4, 5, 2) * 70
    torch.testing.assert_close(denormalise_points(normalise_points(points, 70), 70), points)
    assert normalise_points(torch.tensor([0.0, 69.0]), 70).tolist() == [-1, 1]
