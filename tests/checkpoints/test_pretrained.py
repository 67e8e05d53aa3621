import os

import numpy as np
import pytest
import torch
from PIL import Image

from dvelib import StudyError
from dvelib.checkpoints.pretrained import (
    EMBEDDINGS,
    LANDMARKS,
    REGRESSORS,
    WEIGHTS_FOLDER,
    load_pretrained,
    named_folder,
)
from dvelib.cli import main
from dvelib.common.files import read_json
from dvelib.own import load_predictor
from dvelib.recipes import open_embedding
from tests.own.pictures import draw_folder


@pytest.mark.parametrize("name", EMBEDDINGS)
def test_each_is_small_and_knows_what_made_it(name):
    embedding = load_pretrained(name)
    assert embedding.spec.slug.startswith(name)
    assert embedding.provenance["data"]["images"] > 10_000
    assert embedding.provenance["stored"] == "float16"
    assert embedding.provenance["trained_as"].startswith(embedding.spec.slug)
    assert len(embedding.history) > 10
    assert (WEIGHTS_FOLDER / name / "weights.safetensors").stat().st_size < 750_000
    maps = embedding.network(torch.rand(1, 3, 50, 50))
    assert maps.shape == (1, embedding.spec.dimension, 25, 25) and maps.isfinite().all()


def test_a_name_serves_where_a_folder_does(tmp_path, monkeypatch):
    assert open_embedding("smallnet-16d-plain").spec.dimension == 16
    assert named_folder(tmp_path / "mine") == tmp_path / "mine"
    monkeypatch.chdir(tmp_path)
    (tmp_path / "smallnet-16d-plain").mkdir()  # a folder of one's own of that name comes first
    assert named_folder("smallnet-16d-plain").resolve() == tmp_path / "smallnet-16d-plain"


def test_other_names_are_answered_with_those_there_are():
    with pytest.raises(StudyError, match="choose among smallnet-64d-exchange"):
        load_pretrained("resnet")


def test_the_package_itself_is_only_read(tmp_path, monkeypatch):
    monkeypatch.setenv("DVE_CACHE", str(tmp_path))
    before = {path: path.stat().st_mtime for path in WEIGHTS_FOLDER.rglob("*")}
    folder = load_pretrained("smallnet-16d-plain").folder
    assert folder.is_relative_to(tmp_path)
    load_pretrained("smallnet-16d-plain")
    assert {
        p: p.stat().st_mtime for p in WEIGHTS_FOLDER.rglob("*") if p.suffix != ".pyc"
    }.items() <= (before.items())
    assert [p.name for p in folder.parent.iterdir()] == [folder.name]  # nothing half-written


def test_two_at_once_are_no_trouble(tmp_path, monkeypatch):
    monkeypatch.setenv("DVE_CACHE", str(tmp_path))
    replace, folder = os.replace, []

    def late(source, target):
        if not folder:  # someone else comes first
            folder.append(target)
            monkeypatch.setattr(os, "replace", replace)
            load_pretrained("smallnet-16d-plain")
        replace(source, target)

    monkeypatch.setattr(os, "replace", late)
    assert load_pretrained("smallnet-16d-plain").folder == folder[0]
    assert [p.name for p in folder[0].parent.iterdir()] == [folder[0].name]


@pytest.mark.parametrize("name", REGRESSORS)
def test_predictors_of_faces_know_what_made_them(name):
    predictor = load_predictor(name)
    assert predictor.finds_faces
    made = read_json(WEIGHTS_FOLDER / name / "provenance.json")
    assert made["stored"] == "float16" and made["seconds"] > 0
    assert {part["split"] for part in made["learned_from"]} == {"train"}
    calibration = read_json(WEIGHTS_FOLDER / name / "doubt.json")
    assert 0 < calibration["share_of_wrong_landmarks"] < 1
    sizes = [path.stat().st_size for path in (WEIGHTS_FOLDER / name).iterdir()]
    assert sum(sizes) < 900_000


def test_five_landmarks_are_found_at_once(tmp_path):
    predictor = load_predictor(LANDMARKS)
    assert predictor.names[2] == "nose" and predictor.regressor.landmarks == 5
    found = predictor(Image.new("RGB", (120, 90), "gray"), framed=True)
    assert found.shape == (5, 2) and np.isfinite(found).all()
    draw_folder(tmp_path / "things", 3)
    assert main(["predict", "--images", str(tmp_path / "things"), "--framed"]) == 0
    lines = (tmp_path / "things" / "predictions.csv").read_text().splitlines()
    assert len(lines) == 4
