"""Several processes learn what one process learns that takes their shares one after the other."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from dvelib.checkpoints import resuming
from dvelib.checkpoints.storage import load_embedding
from dvelib.common.errors import StudyError
from dvelib.data import open_dataset
from dvelib.training import distributed, embeddings
from dvelib.training.embedding_step import build_optimizer, specified_loss, training_pair
from tests.training.test_embeddings import tiny_spec

ROOT = Path(__file__).parents[2]
STEPS = 4
CPU = torch.device("cpu")
SCRIPT = """
import sys
from pathlib import Path
from dvelib.training.embeddings import train
from tests.training.test_distributed import STEPS, faces, spec_of

folder, steps = Path(sys.argv[1]), int(sys.argv[2])
train(spec_of(steps), faces(), folder / str(steps), device="cpu", earlier=folder / "2")
"""


def spec_of(steps):
    """A specification that can be continued; eight images do not divide into three shares."""
    # At a small rate rounding stays rounding; Adam would let it grow in a few large steps.
    rate = {"learning_rate": 1e-5, "bias_lr": None}
    return tiny_spec(batch=8, steps=steps, averaging=4.0, plain_steps=1, **rate)


def faces():
    return open_dataset("synthetic", None, "train", size=24, crop=4, limit=18)


@pytest.fixture
def as_rank(monkeypatch):
    """Let the functions of `distributed` speak for a rank of several."""

    def speak(rank, size):
        monkeypatch.setattr(distributed, "rank", lambda: rank)
        monkeypatch.setattr(distributed, "world_size", lambda: size)

    return speak


def one_process(spec, processes, as_rank):
    """Losses and weights after all steps of one process that goes through all shares."""
    images = torch.from_numpy(faces().images.copy())
    network = embeddings.initial_network(spec).train()
    optimizer, losses = build_optimizer(network, spec), []
    schedule = embeddings._schedule(spec, len(images))
    batches = []
    for rank in range(processes):
        as_rank(rank, processes)
        batches.append(list(embeddings._indices(spec, len(images), schedule, 0)))
    for step in range(spec.steps):
        optimizer.zero_grad()
        losses.append(0.0)
        for rank in range(processes):
            as_rank(rank, processes)
            index = batches[rank][step]
            generators = embeddings._generators(CPU, spec.seed, step)
            first, second, pair = training_pair(images[index], spec, *generators, step=step)
            maps = network(torch.cat([first, second]))
            loss = specified_loss(spec, step)(*maps.chunk(2), pair.grid)
            loss = loss * (len(index) / spec.batch)
            loss.backward()
            losses[-1] += loss.item()
        optimizer.step()
    return losses, network


def several_processes(count, folder, steps):
    script = folder / "script.py"
    script.write_text(SCRIPT)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += ["--nproc-per-node", str(count), str(script), str(folder), str(steps)]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr[-2000:]
    return load_embedding(folder / str(steps))


@pytest.mark.parametrize(
    ("processes", "lengths"),
    [(2, [2]), (3, [2, STEPS])],
    ids=["two", "three, uneven, resumed after two steps"],
)
def test_they_equal_one_process_that_takes_their_shares(tmp_path, as_rank, processes, lengths):
    for steps in lengths:
        trained = several_processes(processes, tmp_path, steps)
    assert trained.provenance["processes"] == processes
    losses, network = one_process(spec_of(steps), processes, as_rank)
    found = trained.history["loss"].to_list()
    assert found[:2] == pytest.approx(losses[:2], rel=2e-5)
    assert found == pytest.approx(losses, rel=1e-3)
    state = torch.load(tmp_path / str(steps) / resuming.CHECKPOINT, weights_only=True)
    assert state["step"] == steps
    start = moving(embeddings.initial_network(spec_of(steps)).state_dict())
    held, wanted = moving(state["parts"]["network"]), moving(network.state_dict())
    assert (held - wanted).norm() < 0.01 * (wanted - start).norm()


def moving(state):
    """The weights in one row, without the biases of convolutions.

    Batch normalisation takes those out: their gradient is rounding, of which Adam makes a step.
    """
    kept = [state[name] for name in sorted(state) if re.search(r"weight$|1.bias$", name)]
    return torch.cat([value.flatten() for value in kept])


def test_shares_cover_a_batch_and_differ_by_one_at_most(as_rank):
    for batch, size in ((8, 3), (32, 5), (6, 3), (7, 2)):
        covered = []
        for rank in range(size):
            as_rank(rank, size)
            covered += range(batch)[distributed.share(batch)]
        assert covered == list(range(batch))
    as_rank(0, 3)
    assert distributed.share(8) == slice(0, 3)
    with pytest.raises(StudyError, match="too small for 3 processes"):
        distributed.share(5)


def test_the_mean_of_weighted_losses_is_the_loss_of_the_batch(as_rank):
    values = torch.arange(8.0)
    found = []
    for rank in range(3):
        as_rank(rank, 3)
        part = values[distributed.share(8)]
        found.append(distributed.weighted(part.mean(), len(part), 8))
    assert torch.stack(found).mean() == pytest.approx(values.mean())
    as_rank(0, 2)
    loss = torch.tensor(3.0)
    assert distributed.weighted(loss, 4, 8) is loss
