import pytest
import torch

from dvelib import losses
from dvelib.losses import equivariance_loss, exchange_loss
from tests.golden_data import load, relative


def plain_formula(first, second, grid, *, power=0.5, exchange=False):
    """Equations 2 and 5 of the paper for raw descriptors, with whole similarity matrices."""
    batch, _, height, width = first.shape
    side = grid.shape[1]
    stride = side // height
    f1, f2 = first.flatten(2).mT, second.flatten(2).mT
    if exchange:
        auxiliary = torch.cat([f1[1:], f1[:1]])
        f1 = (f1 @ auxiliary.mT).softmax(2) @ auxiliary
    probability = (f1 @ f2.mT).softmax(2)
    expected = ((grid + 1) / 2 * (side - 1))[:, ::stride, ::stride].flatten(1, 2)
    y, x = torch.meshgrid(*[torch.arange(0, side, stride, dtype=grid.dtype)] * 2, indexing="ij")
    lattice = torch.stack([x, y], 2).view(-1, 2)
    distance = (expected[:, :, None] - lattice).norm(dim=3) ** power
    return (probability * distance).sum() / (batch * height * width)


def small_problem(batch=3, dim=5, height=6, side=12, seed=0):
    generator = torch.Generator().manual_seed(seed)
    first, second = torch.randn(2, batch, dim, height, height, generator=generator).double()
    grid = torch.rand(batch, side, side, 2, generator=generator).double() * 2 - 1
    return first, second, grid


def identity_grid(batch, side):
    axis = torch.linspace(-1, 1, side)
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    return torch.stack([x, y], 2).expand(batch, -1, -1, -1)


@pytest.mark.parametrize("case", range(5))
@pytest.mark.parametrize(("loss", "key"), [(exchange_loss, "dve"), (equivariance_loss, "plain")])
def test_value_and_gradient_are_the_published_ones(case, loss, key):
    golden = load(f"loss_{case}")
    features = golden["feats"].requires_grad_()
    scale = 20.0 if golden["normalize_vectors"] else None
    value = loss(
        features[::2],
        features[1::2],
        golden["grid"],
        distance_power=float(golden["pow"]),
        scale=scale,
    )
    value.backward()
    assert value.item() == pytest.approx(golden[f"{key}_loss"].item(), rel=1e-5)
    assert relative(features.grad, golden[f"{key}_grad"]) < 1e-4


@pytest.mark.parametrize("exchange", [False, True])
@pytest.mark.parametrize("tile", [1, 2**20])
def test_the_loss_does_not_depend_on_the_size_of_tiles(exchange, tile, monkeypatch):
    monkeypatch.setitem(losses._TILE_ELEMENTS, "cpu", tile)
    first, second, grid = small_problem()
    loss = exchange_loss if exchange else equivariance_loss
    expected = plain_formula(first, second, grid, exchange=exchange)
    torch.testing.assert_close(loss(first, second, grid), expected)


@pytest.mark.parametrize("loss", [equivariance_loss, exchange_loss])
@pytest.mark.parametrize("scale", [None, 2.0])
def test_gradcheck(loss, scale):
    first, second, grid = small_problem(batch=2, dim=3, height=3, side=6)
    inputs = (first.requires_grad_(), second.requires_grad_())
    assert torch.autograd.gradcheck(lambda a, b: loss(a, b, grid, scale=scale), inputs)


@pytest.mark.parametrize("loss", [equivariance_loss, exchange_loss])
def test_bfloat16_descriptors_give_nearly_the_same(loss):
    first, second, grid = (x.float() for x in small_problem(batch=4, dim=16, height=8, side=16))
    first.requires_grad_()
    exact = loss(first, second, grid)
    (gradient,) = torch.autograd.grad(exact, first)
    low = loss(first.bfloat16(), second.bfloat16(), grid)
    assert low.item() == pytest.approx(exact.item(), rel=1e-2)
    assert low.dtype == torch.float32
    assert relative(torch.autograd.grad(low, first)[0], gradient) < 3e-2


@pytest.mark.parametrize("loss", [equivariance_loss, exchange_loss])
def test_autocast_does_not_change_the_loss(loss):
    first, second, grid = (x.float() for x in small_problem())
    with torch.autocast("cpu", torch.bfloat16):
        inside = loss(first, second, grid)
    assert torch.equal(inside, loss(first, second, grid))


def test_gradient_of_the_second_view_alone():
    first, second, grid = small_problem()
    second.requires_grad_()
    (gradient,) = torch.autograd.grad(equivariance_loss(first, second, grid), second)
    (expected,) = torch.autograd.grad(plain_formula(first, second, grid), second)
    torch.testing.assert_close(gradient, expected)


def test_loss_of_perfect_descriptors_falls_to_zero_as_the_scale_grows():
    """Each pixel has its own one-hot descriptor, and the warp is the identity."""
    side = 6
    features = torch.eye(side * side).double().view(1, side * side, side, side)
    grid = identity_grid(1, side).double()
    values = [equivariance_loss(features, features, grid, scale=s).item() for s in (1, 3, 5, 7)]
    assert values == sorted(values, reverse=True)
    assert values[-1] < 1e-3  # not zero: the square root amplifies rounding of the grid


def test_uniform_descriptors_cost_the_mean_distance():
    features = torch.zeros(1, 4, 5, 5)
    axis = torch.arange(5.0)
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    lattice = torch.stack([x, y], 2).view(-1, 2)
    expected = (lattice[:, None] - lattice).norm(dim=2).sqrt().mean()
    value = equivariance_loss(features, features, identity_grid(1, 5))
    torch.testing.assert_close(value, expected)


def test_exchange_with_one_sample_is_equivariance_of_the_rebuilt_descriptors():
    """The auxiliary image is then the source: rebuilt = softmax(f f') f, not normalised."""
    first, second, grid = small_problem(batch=1)
    f1 = first.flatten(2).mT
    rebuilt = ((f1 @ f1.mT).softmax(2) @ f1).mT.view_as(first)
    torch.testing.assert_close(
        exchange_loss(first, second, grid), equivariance_loss(rebuilt, second, grid)
    )


def test_the_auxiliary_is_the_next_sample_cyclically():
    first, second, grid = small_problem()
    torch.testing.assert_close(
        exchange_loss(first, second, grid), plain_formula(first, second, grid, exchange=True)
    )


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        (((2, 3, 4, 4), (2, 3, 5, 5), (2, 8, 8, 2)), r"both be \[B,D,H,W\]"),
        (((2, 3, 4, 4), (2, 3, 4, 4), (1, 8, 8, 2)), "of batch 2"),
        (((2, 3, 4, 4), (2, 3, 4, 4), (2, 9, 9, 2)), "multiple of the map's 4"),
    ],
)
def test_shapes_that_do_not_match_are_refused(shapes, message):
    with pytest.raises(ValueError, match=message):
        equivariance_loss(*(torch.zeros(shape) for shape in shapes))
