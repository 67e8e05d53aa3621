import os
from importlib.metadata import version

import pytest
import torch

from dvelib.benchmarks import plain
from dvelib.checkpoints import resuming, storage
from dvelib.checkpoints.specifications import DataSpec, EmbeddingSpec
from dvelib.checkpoints.storage import load_embedding
from dvelib.common.errors import StudyError
from dvelib.common.files import read_json, write_json
from dvelib.data import open_dataset
from dvelib.networks import SmallNet
from dvelib.training import embedding_step, embeddings, loop
from dvelib.training.embedding_step import EmbeddingStep, build_optimizer, training_pair
from dvelib.training.embeddings import train


def tiny_spec(**changes):
    values = {
        "data": DataSpec(name="synthetic", limit=10),
        "dimension": 4,
        "size": 24,
        "crop": 4,
        "batch": 4,
        "steps": 6,
        "noise": "colour",
    } | changes
    return EmbeddingSpec(**values)


@pytest.fixture
def faces():
    return open_dataset("synthetic", None, "train", size=24, crop=4, limit=10)


def weights(embedding):
    return torch.cat([value.flatten().float() for value in embedding.network.state_dict().values()])


GROWING = {"averaging": 4.0, "plain_steps": 1}


def test_a_longer_training_goes_on_from_a_shorter_one(faces, tmp_path):
    """It takes the other one's steps over and ends in the numbers of a training at one go."""
    short, long = (tiny_spec(steps=steps, **GROWING) for steps in (3, 6))
    train(short, faces, tmp_path / "short", device="cpu")
    steps = []

    class Counted(EmbeddingStep):
        def learn(self, views, grid, step=0):
            steps.append(step)
            return super().learn(views, grid, step)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(embeddings, "EmbeddingStep", Counted)
        grown = train(long, faces, tmp_path / "long", device="cpu", earlier=tmp_path / "short")
    assert steps == [3, 4, 5]
    whole = train(long, faces, tmp_path / "whole", device="cpu")
    assert torch.equal(weights(grown), weights(whole))
    assert grown.history["step"].tolist() == whole.history["step"].tolist()
    assert load_embedding(tmp_path / "short").spec == short


def test_a_shorter_training_without_its_checkpoint_is_trained_anew(faces, tmp_path):
    short, long = (tiny_spec(steps=steps, **GROWING) for steps in (3, 6))
    train(short, faces, tmp_path / "short", device="cpu")
    (tmp_path / "short" / resuming.CHECKPOINT).unlink()
    grown = train(long, faces, tmp_path / "long", device="cpu", earlier=tmp_path / "short")
    assert grown.provenance["steps"] == 6


def test_training_on_the_plain_loss_goes_the_same_way(faces, tmp_path, monkeypatch):
    """Tiles and their own gradients are the formula's: only roundings tell the two apart.

    Training makes ever more of them: 1e-6 of the loss at the second step, 1e-4 at the fifth, on
    as many threads as there happen to be. Another seed is off by more than that from the first.
    """
    spec = tiny_spec(steps=5)
    ours = train(spec, faces, tmp_path / "ours", device="cpu").history["loss"]
    formula = lambda first, second, grid, **options: plain.batched_exchange_loss(  # noqa: E731
        first, second, grid
    )
    monkeypatch.setattr(embedding_step, "exchange_loss", formula)
    theirs = train(spec, faces, tmp_path / "plain", device="cpu").history["loss"]
    assert ours.to_numpy() == pytest.approx(theirs.to_numpy(), rel=1e-3)
    other = train(tiny_spec(steps=5, seed=1), faces, tmp_path / "seed", device="cpu").history
    assert ours.to_numpy() != pytest.approx(other["loss"].to_numpy(), rel=1e-2)


class Killed(Exception):
    """Stands in for a signal that ends the process."""


def train_until_killed(spec, faces, folder, step, monkeypatch):
    """Train with a checkpoint after every step and die on entering the given one."""
    one_step, calls = EmbeddingStep.__call__, []

    def dying(*arguments, **options):
        calls.append(1)
        if len(calls) > step:
            raise Killed
        return one_step(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(loop, "CHECKPOINT_SECONDS", 0)
        patch.setattr(EmbeddingStep, "__call__", dying)
        with pytest.raises(Killed):
            train(spec, faces, folder, device="cpu")


def test_the_same_specification_gives_the_same_weights(faces, tmp_path):
    first, second = (train(tiny_spec(), faces, tmp_path / n, device="cpu") for n in "ab")
    assert torch.equal(weights(first), weights(second))
    assert first.history.equals(second.history)


@pytest.mark.parametrize("change", [{"seed": 1}, {"exchange": False}, {"scale": 20.0}])
def test_another_specification_gives_others(faces, tmp_path, change):
    first = train(tiny_spec(), faces, tmp_path / "a", device="cpu")
    second = train(tiny_spec(**change), faces, tmp_path / "b", device="cpu")
    assert not torch.equal(weights(first), weights(second))


RECIPE = {"averaging": 8.0, "auxiliaries": 2, "plain_steps": 3}


@pytest.mark.parametrize("step", [1, 3, 5])
@pytest.mark.parametrize("recipe", [{}, RECIPE], ids=["published", "small budgets"])
def test_a_killed_training_resumes_to_the_same_numbers(faces, tmp_path, step, recipe, monkeypatch):
    spec = tiny_spec(lower_rate_from=(5,), **recipe)
    whole = train(spec, faces, tmp_path / "whole", device="cpu")
    train_until_killed(spec, faces, tmp_path / "cut", step, monkeypatch)
    assert (tmp_path / "cut" / resuming.CHECKPOINT).exists()
    resumed = train(spec, faces, tmp_path / "cut", device="cpu")
    assert torch.equal(weights(whole), weights(resumed))
    assert whole.history.equals(resumed.history)
    assert not (tmp_path / "cut" / resuming.CHECKPOINT).exists()


def test_a_folder_made_before_a_field_was_added_is_still_its_own(faces, tmp_path):
    """The recipe's fields came later; a specification without them means their defaults."""
    parent = train(tiny_spec(), faces, tmp_path / "parent", device="cpu")
    spec = tiny_spec(parent=parent.spec)
    made = train(spec, faces, tmp_path / "child", device="cpu", parent=parent.folder)
    path = made.folder / storage.SPECIFICATION
    values = read_json(path)
    for held in (values, values["parent"]):
        for field in RECIPE:
            del held[field]
    write_json(path, values)
    again = train(spec, faces, made.folder, device="cpu", parent=parent.folder)
    assert again.provenance == made.provenance
    with pytest.raises(StudyError, match="belongs to an embedding of another auxiliaries"):
        train(tiny_spec(parent=parent.spec, auxiliaries=2), faces, made.folder, device="cpu")


def test_a_finished_embedding_is_not_trained_again(faces, tmp_path, monkeypatch):
    train(tiny_spec(), faces, tmp_path, device="cpu")
    monkeypatch.setattr(EmbeddingStep, "__call__", None)
    train(tiny_spec(), faces, tmp_path, device="cpu")


def test_a_loss_that_is_not_finite_stops_and_keeps_the_last_good_checkpoint(
    faces, tmp_path, monkeypatch
):
    loss, calls = embedding_step.exchange_loss, []

    def failing(*arguments, **options):
        calls.append(1)
        return loss(*arguments, **options) * (float("nan") if len(calls) == 4 else 1)

    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 0)
    monkeypatch.setattr(embedding_step, "exchange_loss", failing)
    with pytest.raises(StudyError, match="not finite by step 4: lower the learning rate"):
        train(tiny_spec(), faces, tmp_path, device="cpu")
    state = resuming.load_checkpoint(tmp_path, torch.device("cpu"))
    assert state["step"] == 3
    assert all(
        v.isfinite().all() for v in state["parts"]["network"].values() if v.is_floating_point()
    )
    assert len(calls) == 4
    assert not storage.finished(tmp_path)


def test_late_drops_count_from_one():
    spec = tiny_spec(steps=None, epochs=100, lower_rate_from=(72, 92), batch=4)
    schedule = embeddings._schedule(spec, images=10)
    assert (schedule.steps, schedule.steps_per_epoch) == (200, 2)
    factors = [schedule.factor(2 * (epoch - 1)) for epoch in (71, 72, 91, 92)]
    assert factors == pytest.approx([1, 0.1, 0.1, 0.01])


def test_every_group_of_weights_learns_at_its_rate_times_the_factor(faces, tmp_path, monkeypatch):
    rates = []
    one_step = EmbeddingStep.__call__

    def noting(self, *arguments, **options):
        rates.append([group["lr"] for group in self.optimizer.param_groups])
        return one_step(self, *arguments, **options)

    monkeypatch.setattr(EmbeddingStep, "__call__", noting)
    spec = tiny_spec(lower_rate_from=(3, 5), learning_rate=7.07e-4)
    history = train(spec, faces, tmp_path, device="cpu").history
    factors = [0.1**k for k in (0, 0, 1, 1, 2, 2)]
    assert rates == [[7.07e-4 * factor, 1e-5 * factor] for factor in factors]
    assert history["learning_rate"].tolist() == [7.07e-4 * factor for factor in factors]


def test_every_epoch_sees_an_image_at_most_once_in_another_order():
    spec = tiny_spec(steps=4, batch=5)
    schedule = embeddings._schedule(spec, 10)
    batches = [index.tolist() for index in embeddings._indices(spec, 10, schedule, 0)]
    first, second = batches[0] + batches[1], batches[2] + batches[3]
    assert sorted(first) == sorted(second) == list(range(10))
    assert first != second
    later = [index.tolist() for index in embeddings._indices(spec, 10, schedule, 3)]
    assert later == batches[3:]


def test_biases_of_convolutions_alone_learn_slowly():
    network = SmallNet(4)
    rest, biases = build_optimizer(network, tiny_spec()).param_groups
    assert (rest["lr"], biases["lr"]) == (1e-3, 1e-5)
    assert len(biases["params"]) == 6
    norms = {
        id(p)
        for m in network.modules()
        if isinstance(m, torch.nn.BatchNorm2d)
        for p in m.parameters()
    }
    assert norms <= {id(p) for p in rest["params"]}
    assert len(build_optimizer(network, tiny_spec(bias_lr=None)).param_groups) == 1


def test_training_lowers_the_loss(faces, tmp_path):
    trained = train(tiny_spec(steps=60, exchange=False), faces, tmp_path, device="cpu")
    losses = trained.history["loss"]
    assert losses.tail(5).mean() < 0.8 * losses.iloc[0]


def test_pairs_are_normalised_and_differ(faces):
    images = faces.images_uint8()
    generator = torch.Generator().manual_seed(0)
    first, second, pair = training_pair(images, tiny_spec(), generator)
    assert first.shape == second.shape == (10, 3, 16, 16)
    assert pair.grid.shape == (10, 16, 16, 2)
    assert 0.3 < first.std() < 3


def test_a_folder_of_another_embedding_is_left_alone(faces, tmp_path):
    train(tiny_spec(), faces, tmp_path, device="cpu")
    with pytest.raises(StudyError, match="belongs to an embedding of another dimension, seed"):
        train(tiny_spec(seed=3, dimension=5), faces, tmp_path, device="cpu")
    assert load_embedding(tmp_path).spec == tiny_spec()


def test_too_few_images_for_a_batch(faces, tmp_path):
    with pytest.raises(StudyError, match="has 10 images, fewer than batch 16"):
        train(tiny_spec(batch=16), faces, tmp_path, device="cpu")


def test_a_parent_gives_its_weights(faces, tmp_path):
    parent_spec = tiny_spec()
    parent = train(parent_spec, faces, tmp_path / "parent", device="cpu")
    child_spec = tiny_spec(parent=parent_spec, learning_rate=0.0, bias_lr=None, scale=20.0)
    child = train(child_spec, faces, tmp_path / "child", device="cpu", parent=tmp_path / "parent")
    key = "conv6.weight"
    assert torch.equal(parent.network.state_dict()[key], child.network.state_dict()[key])
    with pytest.raises(StudyError, match="give the parent's folder"):
        train(child_spec, faces, tmp_path / "orphan", device="cpu")


def test_what_is_saved_is_loaded_and_says_what_made_it(faces, tmp_path):
    trained = train(tiny_spec(), faces, tmp_path, device="cpu")
    loaded = load_embedding(tmp_path)
    assert loaded.spec == tiny_spec()
    assert torch.equal(weights(trained), weights(loaded))
    made = loaded.provenance
    assert made["steps"] == 6 and made["pairs"] == 24 and made["data"]["images"] == 10
    assert made["data"]["digest"] == faces.digest
    assert made["versions"]["torch"] == version("torch")


def test_weights_of_another_network_are_refused(faces, tmp_path):
    train(tiny_spec(), faces, tmp_path / "a", device="cpu")
    train(tiny_spec(dimension=5), faces, tmp_path / "b", device="cpu")
    os.replace(tmp_path / "b" / "weights.safetensors", tmp_path / "a" / "weights.safetensors")
    (tmp_path / "a" / "checksums.json").unlink()
    with pytest.raises(StudyError, match=r"does not fit the SmallNet 4-d .*conv6"):
        load_embedding(tmp_path / "a")


def test_a_folder_without_an_embedding(tmp_path):
    with pytest.raises(StudyError, match="holds no finished embedding"):
        load_embedding(tmp_path)
