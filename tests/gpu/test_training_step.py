"""A training on a GPU: every tensor on the device, the host never waits, the numbers of the CPU."""

import pytest
import torch

from dvelib.checkpoints.specifications import DataSpec, EmbeddingSpec
from dvelib.checkpoints.storage import load_embedding
from dvelib.data import open_dataset
from dvelib.training import batches
from dvelib.training.embedding_step import EmbeddingStep
from dvelib.training.embeddings import _generators, initial_network, train
from tests.gpu.stand_in import GPU, GpuTensor, gpu

CPU = torch.device("cpu")
SIZES = {"smallnet": (40, 6, 4), "hourglass": (36, 2, 2)}  # size, crop, batch


def spec_of(architecture="smallnet", **changes):
    size, crop, batch = SIZES[architecture]
    values = {"noise": "colour", "precision": "float32", "steps": 2} | changes
    return EmbeddingSpec(
        architecture=architecture,
        size=size,
        crop=crop,
        batch=batch,
        data=DataSpec(name="synthetic"),
        **values,
    )


def two_steps(spec, device, stand_in=None):
    """Losses of two steps, and the weights after them; waits of the second step are listed."""
    step = EmbeddingStep(initial_network(spec), spec, device)
    step.network.train()
    shape = spec.batch, 3, spec.size, spec.size
    images = torch.randint(0, 256, shape, generator=torch.Generator().manual_seed(1))
    images, losses = images.to(torch.uint8).to(device), []
    for number in range(2):
        if stand_in:
            stand_in.waits.clear()  # the first step fills caches
        losses.append(step(images, *_generators(device, 0, number), step=number))
    waits = list(stand_in.waits) if stand_in else []
    weights = list(step.network.parameters())
    if stand_in:
        kept = [*losses, *weights, *step.network.buffers()]
        assert all(isinstance(x, GpuTensor) for x in kept)
    weights = torch.cat([w.detach().flatten() for w in weights])
    return torch.stack(losses).cpu(), weights.cpu(), waits


@pytest.mark.parametrize(
    ("architecture", "changes"),
    [
        ("smallnet", {}),
        ("smallnet", {"exchange": False}),
        ("smallnet", {"scale": 20.0, "auxiliaries": 2, "bias_lr": None}),
        ("hourglass", {"scale": 20.0}),
    ],
    ids=["exchange", "plain", "unit vectors", "hourglass"],
)
def test_a_step_gives_the_numbers_of_the_cpu_and_waits_for_nothing(architecture, changes):
    spec = spec_of(architecture, **changes)
    losses, weights, _ = two_steps(spec, CPU)
    with gpu() as stand_in:
        on_gpu = two_steps(spec, GPU, stand_in)
    torch.testing.assert_close(on_gpu[0], losses)
    torch.testing.assert_close(on_gpu[1], weights)
    assert on_gpu[2] == []


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_the_published_noise_waits_for_nothing(precision):
    with gpu() as stand_in:
        losses, _, waits = two_steps(spec_of(noise="published", precision=precision), GPU, stand_in)
    assert waits == [] and losses.isfinite().all()


@pytest.mark.parametrize("free", [2**34, 1], ids=["all images on the GPU", "batch by batch"])
def test_a_training_that_is_continued_from_its_checkpoint(tmp_path, free):
    faces = open_dataset("synthetic", None, "train", size=40, crop=6, limit=10)
    short, spec = (spec_of(averaging=4.0, plain_steps=1, steps=steps) for steps in (1, 2))
    on_cpu = train(spec, faces, tmp_path / "cpu", device="cpu")
    with gpu(free):
        train(short, faces, tmp_path / "short", device="cuda")
        train(spec, faces, tmp_path / "gpu", device="cuda", earlier=tmp_path / "short")
    on_gpu = load_embedding(tmp_path / "gpu")
    assert on_gpu.history["loss"].to_list() == pytest.approx(on_cpu.history["loss"].to_list())
    for one, other in zip(on_gpu.network.parameters(), on_cpu.network.parameters(), strict=True):
        torch.testing.assert_close(one, other)


def test_images_are_copied_to_a_gpu_without_waiting():
    images = torch.zeros(6, 3, 8, 8, dtype=torch.uint8).numpy()
    indices = [torch.tensor([0, 1]), torch.tensor([4, 5]), torch.tensor([2, 3])]
    for free in (2**34, 1):
        with gpu(free) as stand_in:
            with stand_in.setting_up():
                found = batches.device_batches(images, iter(indices), GPU)
            found = list(found)
            assert all(isinstance(batch, GpuTensor) for batch in found)
            assert [batch.shape for batch in found] == 3 * [(2, 3, 8, 8)]
            assert stand_in.waits == []
