"""The plain forms give the same results as ours, and benchmarks measure them correctly."""

import numpy as np
import pandas as pd
import pytest
import torch

from dvelib import losses, plots
from dvelib.benchmarks import COMPARISONS, MEASURES, Benchmark, comparisons, growth, plain, run
from dvelib.benchmarks.comparisons import OURS
from dvelib.benchmarks.endings import CONTROL, FORMS, PLAIN, by_seed, ends, gaps, sentences
from dvelib.benchmarks.measure import peak_memory, seconds
from dvelib.benchmarks.steps import first_step, step_operations
from dvelib.checkpoints.specifications import DataSpec, EmbeddingSpec
from dvelib.common.files import read_json
from dvelib.matching import match_on_lattice
from dvelib.regressor import LandmarkRegressor
from dvelib.warps import ThinPlateSpline

CPU = torch.device("cpu")


def maps(batch=3, dimension=5, side=6):
    generator = torch.Generator().manual_seed(0)
    first, second = torch.randn(2, batch, dimension, side, side, generator=generator).double()
    grid = torch.rand(batch, 2 * side, 2 * side, 2, generator=generator).double() * 2 - 1
    return first.requires_grad_(), second.requires_grad_(), grid


PLAIN_LOSSES = [plain.exchange_loss, plain.batched_exchange_loss]


@pytest.mark.parametrize("form", PLAIN_LOSSES)
def test_plain_losses_take_bfloat16_as_ours_does(form):
    first, second, grid = maps()
    low = [m.detach().bfloat16().requires_grad_() for m in (first, second)]
    ours, plain_loss = (f(*low, grid.float()) for f in (losses.exchange_loss, form))
    assert ours.dtype == plain_loss.dtype == torch.float32
    torch.testing.assert_close(ours, plain_loss, rtol=2e-2, atol=0)
    gradients = torch.autograd.grad(plain_loss, low)
    assert all(g.dtype == torch.bfloat16 and g.abs().sum() > 0 for g in gradients)


@pytest.mark.parametrize("form", PLAIN_LOSSES)
def test_plain_losses_equal_ours(form):
    first, second, grid = maps()
    ours, theirs = (f(first, second, grid) for f in (losses.exchange_loss, form))
    torch.testing.assert_close(ours, theirs)
    for mine, other in zip(
        *(torch.autograd.grad(v, (first, second)) for v in (ours, theirs)), strict=True
    ):
        torch.testing.assert_close(mine, other)


def test_the_plain_regressor_equals_ours():
    torch.manual_seed(0)
    network, descriptors = LandmarkRegressor(4, 3, virtual_points=7), torch.randn(2, 4, 5, 5)
    linear = network.reg_conv.weight.view(3, 2, -1)
    found = plain.regress(descriptors, network.inner_conv.weight.flatten(1), linear, 100.0)
    torch.testing.assert_close(found, network(descriptors)[0], rtol=1e-4, atol=1e-5)


def test_plain_matching_equals_ours():
    generator = torch.Generator().manual_seed(0)
    source, target = torch.randn(2, 3, 4, 6, 6, generator=generator)
    points = 14 * torch.rand(3, 5, 2, generator=generator) - 1
    ours = match_on_lattice(source, target, points, 2)
    assert torch.equal(ours, plain.match_points(source, target, points, 2))


def test_the_plain_pipeline_warps_as_ours_does():
    from dvelib.warps import identity_weights, pixels, sample

    image = torch.rand(1, 3, 30, 30, generator=torch.Generator().manual_seed(0)) * 255
    weights = identity_weights()
    weights[:, :100] = 0.01 * torch.randn(1, 100, 2, generator=torch.Generator().manual_seed(1))
    grid = ThinPlateSpline(30).grid(weights)
    scipys = plain._look_up(image[0].numpy(), pixels(grid, 30)[0].numpy())
    inside = (grid.abs() < 0.95).all(3)[0]
    torch.testing.assert_close(
        torch.from_numpy(scipys)[:, inside], sample(image, grid)[0][:, inside], atol=0.01, rtol=0
    )


def test_plain_views_are_noisy_and_cropped():
    images = np.full((2, 3, 40, 40), 128, np.uint8)
    first, second = plain.warp_and_noise(images, 6, torch.Generator().manual_seed(0))
    assert first.shape == second.shape == (2, 3, 28, 28)
    views = np.concatenate([first, second]).mean((2, 3))
    assert len(np.unique(views, axis=0)) == 4 and np.ptp(views) > 1


@pytest.mark.parametrize("kind", COMPARISONS)
def test_every_comparison_runs(kind):
    frame = run(kind, repeats=1, small=True)
    ours = frame[frame["form"] == OURS]
    assert (ours["ratio"] == 1).all() and (frame["ratio"] > 0).all()
    assert len(frame) > len(ours) and (frame["floor"] > 0).all()
    assert (frame["low"] <= frame["seconds"]).all() and (frame["seconds"] <= frame["high"]).all()


def problems(kind, device, small=False):
    return [c.problem for c in COMPARISONS[kind](torch.device(device), small)]


@pytest.mark.parametrize("kind", ["loss", "step"])
def test_bfloat16_is_measured_on_gpus_and_in_tests(kind):
    here, gpu, small = problems(kind, "cpu"), problems(kind, "cuda"), problems(kind, "cpu", True)
    assert not any("bfloat16" in name or "136-px" in name for name in here)
    assert set(here) < set(gpu)
    assert all(any("bfloat16" in name for name in names) for names in (gpu, small))
    assert len(set(gpu)) == len(gpu)


def test_the_hourglass_steps_on_gpus_at_the_published_size():
    found = [name for name in problems("step", "cuda") if "Hourglass" in name]
    assert [name.split(", ")[2:4] for name in found] == [["136-px images", "batch 16"]] * 2


def test_a_floor_is_of_the_arithmetic_that_the_fastest_form_computes_in():
    def arithmetic(device):
        steps = COMPARISONS["step"](torch.device(device), False)
        return {c.arithmetic for c in steps}

    assert arithmetic("cpu") == {"float32"}
    # On a GPU, float32 convolutions round their inputs.
    assert arithmetic("cuda") == {"TensorFloat32", "bfloat16"}


def step_spec(**options):
    data = DataSpec(name="synthetic")
    return EmbeddingSpec(**{"data": data, "batch": 2, "size": 30, "crop": 3, "steps": 1} | options)


def test_operations_of_a_step_are_those_of_its_convolutions_and_its_loss():
    # Channels in and out, side of the kernel, side of the map.
    convolutions = [
        (3, 20, 5, 24),
        (20, 48, 5, 12),
        (48, 64, 5, 12),
        (64, 80, 3, 12),
        (80, 256, 3, 12),
        (256, 64, 1, 12),
    ]
    network = sum(2 * i * o * k**2 * s**2 for i, o, k, s in convolutions)
    loss = 9 * 2 * 2 * 12**4 * 64
    assert step_operations(step_spec()) == 3 * 4 * network + loss


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_step_learns_and_starts_from_its_seed(precision):
    spec = step_spec(precision=precision, seed=3)
    first, second = (first_step(spec, CPU) for _ in range(2))
    before = [p.clone() for p in first.network.parameters()]
    assert all(map(torch.equal, before, second.network.parameters()))
    generator = torch.Generator().manual_seed(0)
    views = torch.randn(4, 3, 24, 24, generator=generator)
    first.learn(views, torch.rand(2, 24, 24, 2, generator=generator) * 2 - 1)
    after = list(first.network.parameters())
    assert all(p.dtype == torch.float32 and p.isfinite().all() for p in after)
    assert not any(map(torch.equal, before, after))


@pytest.fixture(scope="module")
def small_ends():
    return ends(small=True)


def test_both_forms_have_equal_errors_after_training(small_ends):
    assert list(small_ends["form"].unique()) == list(FORMS)
    table = small_ends.pivot(index="seed", columns="form", values="distance")
    np.testing.assert_allclose(table[OURS], table[PLAIN], rtol=1e-4)
    assert (table.loc[0] - table.loc[1]).abs().min() > 1e-3


def test_the_control_has_other_errors_after_training(small_ends):
    found = gaps(small_ends).set_index(["measure", "form"]).loc["distance"]
    smallest, largest = (found[["low", "high"]].abs().agg(f, axis=1) for f in ("min", "max"))
    assert smallest[CONTROL] > 20 * largest[OURS]


def test_the_control_has_the_value_of_the_loss_and_another_gradient():
    first, second, grid = maps()
    right, wrong = (FORMS[form](first, second, grid) for form in (PLAIN, CONTROL))
    torch.testing.assert_close(right, wrong)
    gradients = [torch.autograd.grad(v, (first, second)) for v in (right, wrong)]
    torch.testing.assert_close(gradients[0][1], gradients[1][1])
    assert not torch.allclose(gradients[0][0], gradients[1][0])


def invented_ends(gap, control=2.0):
    shifts = {OURS: gap, PLAIN: 0.0, CONTROL: control}
    lines = [
        (seed, form, 4.0 + seed + shift, 9.0 + seed)
        for seed in range(3)
        for form, shift in shifts.items()
    ]
    return pd.DataFrame(lines, columns=["seed", "form", *MEASURES])


@pytest.mark.parametrize(("gap", "word"), [(0.5, "within"), (-0.5, "within"), (1.5, "beyond")])
def test_a_gap_is_compared_with_the_spread_over_seeds(gap, word):
    frame = invented_ends(gap)
    found = gaps(frame).set_index(["measure", "form"]).loc[("distance", OURS)]
    assert found["spread"] == pytest.approx(1.0) and found["within"] == (word == "within")
    assert found[["gap", "low", "high"]].tolist() == pytest.approx([gap] * 3)
    distance, matching = sentences(frame).split(f"{MEASURES['matching'][1:]}:")
    assert f"mean gap of {gap:+.2g} ({gap:+.2g} to {gap:+.2g}), {word} the seed" in distance
    assert "of the control +2, beyond it." in distance
    assert "within the seed" in matching and "of the control +0, within it." in matching


def test_the_table_by_seed_has_mean_and_deviation():
    table = by_seed(invented_ends(0.5))
    assert list(table.index) == ["seed 0", "seed 1", "seed 2", "mean", "standard deviation"]
    distance = table[MEASURES["distance"]]
    assert distance.loc["mean"].tolist() == pytest.approx([5.5, 5.0, 7.0, 0.5])
    assert distance.loc["standard deviation"].tolist() == pytest.approx([1.0, 1.0, 1.0, 0.0])


def test_errors_after_training_have_a_panel_per_measure_and_a_row_per_seed():
    figure = plots.ending_dots(invented_ends(0.5), MEASURES)
    figure.draw_without_rendering()
    assert [axis.get_xlabel() for axis in figure.axes] == list(MEASURES.values())
    dots, rings, crosses = (found.get_offsets() for found in figure.axes[0].collections)
    np.testing.assert_allclose(dots - rings, [[0.5, 0.0]] * 3)
    np.testing.assert_allclose(crosses - rings, [[2.0, 0.0]] * 3)
    many = pd.concat([invented_ends(0.5), invented_ends(0.5).assign(form="a fourth")])
    with pytest.raises(ValueError, match="at most three forms"):
        plots.ending_dots(many, MEASURES)


def test_measurements_are_recorded(tmp_path, monkeypatch):
    monkeypatch.setattr(comparisons, "peak_memory", lambda *_: 1)
    benchmark = Benchmark("cpu", repeats=1, small=True, outputs=tmp_path)
    for kind in ("loss", "step"):
        benchmark.measure(kind)
    benchmark.endings()
    assert "times as fast as one sample at a time" in benchmark.record()
    results = read_json(tmp_path / "results.json")
    assert len(results["endings"]) == 2 * len(FORMS)
    assert len(results["endings gaps"]) == 2 * len(MEASURES)
    assert results["endings gaps"][0].keys() >= {"gap", "spread", "within"}
    assert "bfloat16" in results["made"]["Matrix products"] and results["small"]


def test_growth_has_every_point_of_both_forms():
    frame = growth(repeats=1, small=True)
    assert list(frame["along"].unique()) == ["side", "dimension"]
    assert (frame[["seconds", "memory"]] > 0).all(axis=None)


def allocate(size):
    def work():
        return torch.ones(size).add(1)  # two of them at a time

    return work


def prepare_small():
    return allocate(2**24)


def test_peak_memory_is_that_of_the_work():
    peak = peak_memory(prepare_small, CPU)
    assert 1.8 < peak / 2**26 < 3


def test_seconds_are_those_of_one_run():
    import time

    assert 0.05 < min(seconds(lambda: time.sleep(0.05), CPU, 2)) < 0.2
