"""What measures embeddings runs on a GPU and finds what it finds on the CPU."""

import numpy as np
import pandas as pd
import pytest
import torch

from dvelib.checkpoints.specifications import BenchmarkData, DataSpec, EmbeddingSpec, RegressorSpec
from dvelib.checkpoints.storage import Embedding
from dvelib.data import open_dataset
from dvelib.describers import known_describers, open_describer
from dvelib.evaluation.dense_errors import dense_errors
from dvelib.evaluation.examples import example_matches
from dvelib.evaluation.matching_errors import matching_errors
from dvelib.explore.scene import Scene
from dvelib.networks import build_network
from dvelib.training.few_annotations import annotated_faces
from dvelib.training.regressors import train_regressor
from tests.gpu.stand_in import GPU, GpuTensor, gpu

# Two networks are large, and xfeat's package chooses a device itself.
LEFT_OUT = ("disk", "random-hourglass", "xfeat")
DESCRIBERS = [
    name
    for name, known in known_describers().items()
    if not known.weights and not known.missing and name not in LEFT_OUT
]


def embedding_on(device, folder):
    torch.manual_seed(0)
    spec = EmbeddingSpec(data=DataSpec(name="synthetic"), dimension=8, size=40, crop=4, steps=1)
    network = build_network("smallnet", 8).eval().to(device)
    folder.mkdir(exist_ok=True)
    return Embedding(network, spec, {}, pd.DataFrame(), folder)


def on_both(tmp_path, measure):
    """What is measured with an embedding on the CPU, and with one on the stand-in."""
    on_cpu = measure(embedding_on("cpu", tmp_path / "cpu"))
    with gpu():
        embedding = embedding_on(GPU, tmp_path / "gpu")
        assert embedding.device == GPU
        return on_cpu, measure(embedding)


@pytest.fixture(scope="module")
def faces():
    return open_dataset("synthetic", None, "test", size=40, crop=4, limit=8)


def test_matching_by_every_protocol(tmp_path, faces):
    on_cpu, on_gpu = on_both(tmp_path, lambda describer: matching_errors(describer, faces))
    assert len(on_cpu) == 4 * 5 * 2 * 3 * 3
    pd.testing.assert_frame_equal(on_cpu, on_gpu)


@pytest.mark.parametrize("annotations", [None, 3])
@pytest.mark.parametrize("free", [2**34, 1], ids=["maps on the GPU", "maps in memory"])
def test_landmark_regression(tmp_path, faces, annotations, free):
    spec = RegressorSpec(
        embedding="an-embedding",
        benchmark="mafl",
        data=BenchmarkData(name="synthetic"),
        virtual_points=4,
        epochs=2,
        batch=4,
        annotations=annotations,
        fresh_warps=annotations is not None,
        lower_rate_from=(),
    )

    def measure(describer):
        train, redraw = annotated_faces(spec, faces)
        folder = tmp_path / f"regressor-{describer.device.type}"
        return train_regressor(spec, describer, train, faces, folder, redraw=redraw)

    on_cpu = measure(embedding_on("cpu", tmp_path / "cpu"))
    with gpu(free):
        on_gpu = measure(embedding_on(GPU, tmp_path / "gpu"))
    # A CPU leaves out the smallest weights of the softmax, a GPU does not.
    torch.testing.assert_close(on_cpu.predicted, on_gpu.predicted, atol=0.05, rtol=1e-3)


def test_dense_errors_and_examples(tmp_path, faces):
    def measure(describer):
        errors = dense_errors(describer, size=40, crop=4, pairs=2)
        return errors, example_matches({"one": describer}, faces, 3)["matched"]["one"]

    on_cpu, on_gpu = on_both(tmp_path, measure)
    pd.testing.assert_frame_equal(on_cpu[0], on_gpu[0])
    torch.testing.assert_close(on_cpu[1], on_gpu[1])


def test_the_explorer(tmp_path, faces):
    def measure(describer):
        return Scene({"one": describer}, faces, 4).look("one", 0, (12, 15), 1).similarity

    np.testing.assert_allclose(*on_both(tmp_path, measure), atol=1e-6)


@pytest.mark.parametrize("name", DESCRIBERS)
def test_describers_that_come_along(name, faces):
    images = faces.cropped(slice(2))
    on_cpu = open_describer(name, device="cpu")(images)
    with gpu():
        on_gpu = open_describer(name, device="cuda")(images)
        assert isinstance(on_gpu, GpuTensor)
        torch.testing.assert_close(on_gpu.cpu(), on_cpu)
