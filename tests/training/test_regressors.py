import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import save_file

from dvelib.checkpoints import resuming, storage
from dvelib.checkpoints.specifications import BenchmarkData, DataSpec, EmbeddingSpec, RegressorSpec
from dvelib.checkpoints.storage import Embedding, load_regressor
from dvelib.common.errors import StudyError
from dvelib.data import open_dataset
from dvelib.matching import inter_ocular_error
from dvelib.networks import SmallNet
from dvelib.training import loop, regressors
from dvelib.training.regressors import predict_dataset, train_regressor


def regressor_spec(**changes):
    values = {
        "embedding": "an-embedding",
        "benchmark": "mafl",
        "data": BenchmarkData(name="synthetic"),
        "virtual_points": 6,
        "epochs": 4,
        "batch": 8,
        "lower_rate_from": (4,),
    } | changes
    return RegressorSpec(**values)


@pytest.fixture(scope="module")
def embedding(tmp_path_factory):
    torch.manual_seed(0)
    spec = EmbeddingSpec(data=DataSpec(name="synthetic"), dimension=8, size=32, crop=4, steps=1)
    folder = tmp_path_factory.mktemp("embedding")
    return Embedding(SmallNet(8).eval(), spec, {}, pd.DataFrame(), folder)


@pytest.fixture(scope="module")
def faces():
    sizes = {"train": 20, "test": 7}
    return [
        open_dataset("synthetic", None, split, size=32, crop=4, limit=n)
        for split, n in sizes.items()
    ]


def test_the_same_specification_gives_the_same_regressor(embedding, faces, tmp_path):
    first, second = (
        train_regressor(regressor_spec(), embedding, *faces, tmp_path / n) for n in "ab"
    )
    assert torch.equal(first.predicted, second.predicted)
    assert first.history.equals(second.history)
    other = train_regressor(regressor_spec(seed=1), embedding, *faces, tmp_path / "c")
    assert not torch.equal(first.predicted, other.predicted)


def test_what_is_kept_is_what_the_regressor_says(embedding, faces, tmp_path):
    trained = train_regressor(regressor_spec(), embedding, *faces, tmp_path)
    assert trained.predicted.shape == (7, 5, 2)
    again = predict_dataset(embedding, trained.network, faces[1])
    np.testing.assert_allclose(again, trained.predicted, atol=1e-4)
    assert trained.history["epoch"].tolist() == [1, 2, 3, 4]
    assert trained.history["learning_rate"].tolist() == pytest.approx([1e-3] * 3 + [1e-4])
    assert trained.provenance["train"]["images"] == 20
    assert not (tmp_path / resuming.CHECKPOINT).exists()


def test_it_learns_the_faces_it_is_shown(embedding, faces, tmp_path):
    spec = regressor_spec(epochs=150, virtual_points=20, learning_rate=1e-2, lower_rate_from=())
    train = faces[0]
    trained = train_regressor(spec, embedding, train, train, tmp_path)
    truth = torch.from_numpy(train.landmarks)
    mean = truth.mean(0).expand_as(truth)
    ours, trivial = (
        inter_ocular_error(p, truth, train.eyes).mean() for p in (trained.predicted, mean)
    )
    assert ours < 0.5 * trivial


class Killed(Exception):
    """Stands in for a signal that ends the process."""


@pytest.mark.parametrize("epoch", [1, 3])
def test_a_killed_training_resumes_to_the_same_numbers(
    embedding, faces, tmp_path, monkeypatch, epoch
):
    whole = train_regressor(regressor_spec(), embedding, *faces, tmp_path / "whole")
    order = regressors._order

    def dying(spec, faces, at):
        if at == epoch:
            raise Killed
        return order(spec, faces, at)

    with monkeypatch.context() as patch:
        patch.setattr(loop, "CHECKPOINT_SECONDS", 0)
        patch.setattr(regressors, "_order", dying)
        with pytest.raises(Killed):
            train_regressor(regressor_spec(), embedding, *faces, tmp_path / "killed")
    assert (tmp_path / "killed" / resuming.CHECKPOINT).exists()
    resumed = train_regressor(regressor_spec(), embedding, *faces, tmp_path / "killed")
    assert torch.equal(resumed.predicted, whole.predicted)
    assert resumed.history.equals(whole.history)


def test_faces_can_be_drawn_anew_for_each_epoch(embedding, faces, tmp_path):
    asked = []

    def redraw(epoch):
        asked.append(epoch)
        return faces[0]

    redrawn = train_regressor(regressor_spec(), embedding, *faces, tmp_path / "a", redraw=redraw)
    assert asked == [0, 1, 2, 3]
    same = train_regressor(regressor_spec(), embedding, *faces, tmp_path / "b")
    assert torch.equal(redrawn.predicted, same.predicted)


def test_a_finished_regressor_is_not_trained_again(embedding, faces, tmp_path, monkeypatch):
    train_regressor(regressor_spec(), embedding, *faces, tmp_path)
    monkeypatch.delattr(regressors, "_train")
    train_regressor(regressor_spec(), embedding, *faces, tmp_path)


def test_another_regressors_folder_is_refused(embedding, faces, tmp_path):
    train_regressor(regressor_spec(), embedding, *faces, tmp_path)
    with pytest.raises(StudyError, match="belongs to a regressor of another epochs: choose"):
        train_regressor(regressor_spec(epochs=5), embedding, *faces, tmp_path)


def test_too_few_faces_are_refused(embedding, faces, tmp_path):
    with pytest.raises(StudyError, match="has 20 training faces, fewer than a batch of 32: give"):
        train_regressor(regressor_spec(batch=32), embedding, *faces, tmp_path)


def test_a_loss_that_is_no_number_stops_the_training(embedding, faces, tmp_path, monkeypatch):
    monkeypatch.setattr(regressors, "landmark_loss", lambda p, *_: p.sum() * torch.nan)
    with pytest.raises(StudyError, match="regressor mafl-an-embedding is not finite by step 1"):
        train_regressor(regressor_spec(), embedding, *faces, tmp_path)
    assert not storage.finished(tmp_path)


def test_a_folder_without_a_regressor_or_with_damaged_weights_is_named(embedding, faces, tmp_path):
    with pytest.raises(StudyError, match="holds no finished regressor"):
        load_regressor(tmp_path)
    train_regressor(regressor_spec(), embedding, *faces, tmp_path)
    save_file({"reg_conv.weight": torch.zeros(2, 2)}, tmp_path / storage.WEIGHTS)
    with pytest.raises(StudyError, match="its checksum is not the recorded one"):
        load_regressor(tmp_path)
    (tmp_path / storage.CHECKSUMS).unlink()
    with pytest.raises(StudyError, match="does not fit the regressor of"):
        load_regressor(tmp_path)
    (tmp_path / storage.WEIGHTS).write_bytes(b"nothing")
    with pytest.raises(StudyError, match="is damaged .*: delete that folder and train it again"):
        load_regressor(tmp_path)
