"""Each recipe in one call, and published weights worth as much as their safetensors twin."""

import pandas as pd
import pytest
import torch

from dvelib.checkpoints import storage
from dvelib.checkpoints.authors_settings import published_spec
from dvelib.checkpoints.storage import save_embedding
from dvelib.cli import main
from dvelib.common.errors import StudyError
from dvelib.networks import SmallNet
from dvelib.recipes import match, open_embedding, regress
from tests.published_writer import write_checkpoint

EXPERIMENT = "celeba-smallnet-3d-dve"


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return SmallNet(3).eval()


@pytest.fixture
def twin(network, tmp_path):
    """The folder of an embedding of ours with these weights."""
    folder = tmp_path / "twin"
    history = pd.DataFrame(columns=["step", "loss", "learning_rate"])
    save_embedding(folder, network, published_spec(EXPERIMENT), {"made": "by hand"}, history)
    return folder


@pytest.fixture
def published(network, tmp_path):
    """The same weights as the authors would have published them."""
    state = {f"module.{key}": value for key, value in network.state_dict().items()}
    return write_checkpoint(tmp_path / "checkpoint-epoch100.pth", "stream", "SmallNet", 100, state)


def test_a_published_file_matches_as_its_safetensors_twin_does(published, twin):
    ours, theirs = (
        match(embedding, "synthetic", limit=4)
        for embedding in (open_embedding(twin), open_embedding(published, EXPERIMENT))
    )
    pd.testing.assert_frame_equal(ours, theirs)
    assert ours["descriptors"].gt(0).all()


def test_landmarks_are_learned_alike_on_both(published, twin, tmp_path):
    settings = {"train_images": 8, "test_images": 4, "epochs": 1, "batch": 4, "virtual_points": 3}
    errors = [
        regress(embedding, "synthetic", None, tmp_path / str(i), **settings)[1]
        for i, embedding in enumerate((open_embedding(twin), open_embedding(published, EXPERIMENT)))
    ]
    pd.testing.assert_series_equal(*errors)
    assert errors[0]["low"] <= errors[0]["error"] <= errors[0]["high"]


def test_a_converted_file_is_an_embedding_like_any_other(published):
    embedding = open_embedding(published, EXPERIMENT)
    again = open_embedding(embedding.folder)
    assert again.spec == published_spec(EXPERIMENT)
    assert again.provenance["experiment"] == EXPERIMENT
    assert storage.finished(embedding.folder)


def test_what_is_neither_is_refused(twin, published, tmp_path):
    with pytest.raises(StudyError, match="holds no finished embedding"):
        open_embedding(tmp_path)
    with pytest.raises(StudyError, match="is no .pth file: leave out which experiment"):
        open_embedding(twin, EXPERIMENT)
    with pytest.raises(StudyError, match="give the name of its published experiment"):
        open_embedding(published)


def test_real_faces_need_their_folder(twin):
    with pytest.raises(StudyError, match="mafl needs the folder that holds the datasets"):
        match(open_embedding(twin), "mafl")


def test_a_fetched_model_is_kept_only_if_it_is_one(tmp_path, monkeypatch):
    from dvelib import recipes

    def serve(file, sha1, urls, remedy, most):
        assert all(url.startswith("https://") for url in urls)
        file.parent.mkdir(parents=True)
        file.write_bytes(b"<html>moved</html>")
        return file

    monkeypatch.setattr(recipes, "download", serve)
    with pytest.raises(StudyError):
        recipes.fetch_model(EXPERIMENT, tmp_path)
    assert not list(tmp_path.rglob("*.pth"))


def test_each_recipe_is_a_command(published, tmp_path, capsys):
    named = ("--published", EXPERIMENT)
    assert main(["match", str(published), "--on", "synthetic", *named, "--limit", "4"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("SmallNet 3-d with exchange on synthetic: mean error, pixels of a 70-")
    assert "same-identity" in said and "perfect features" in said
    assert (
        main(
            [
                "regress",
                "benchmark",
                "synthetic",
                "--embedding",
                str(published),
                *named,
                "--limit",
                "8",
                "--batch",
                "4",
                "--epochs",
                "4",
                "--out",
                str(tmp_path / "regressor"),
            ]
        )
        == 0
    )
    assert "% of the inter-ocular distance (95 % interval" in capsys.readouterr().out
    assert storage.finished(tmp_path / "regressor")
    settings = storage.load_regressor(tmp_path / "regressor").spec
    assert (settings.epochs, settings.lower_rate_from) == (4, (2, 4))


def test_a_recipe_that_lacks_its_embedding_says_so(capsys):
    assert main(["regress", "benchmark", "mafl"]) == 2
    assert "dve regress benchmark needs a value for --embedding" in capsys.readouterr().err
