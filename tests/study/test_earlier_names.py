"""Trainings named by code get their present names."""

import shutil

import pytest
import yaml

from dvelib.common.files import ROOT, read_json, write_json
from dvelib.study.earlier_names import adopt, earlier_names
from dvelib.study.plan import Study

RECORD = ROOT / "dvelib" / "study" / "earlier_code.json"


@pytest.fixture(scope="module")
def versions():
    return {version["commit"]: version for version in read_json(RECORD)["versions"]}


def finished_training(folder, **specification):
    folder.mkdir(parents=True)
    (folder / "weights.safetensors").touch()
    write_json(folder / "specification.json", specification)


# What the quick profile said at that commit.
QUICK = {
    "data": {"name": "synthetic", "limit": 4000},
    "size": 70,
    "crop": 10,
    "batch": 8,
    "learning_rate": 5.0e-4,
    "steps": 1200,
    "lower_rate_from": [961],
    "precision": "auto",
}


def test_the_names_of_an_earlier_quick_study_are_found(versions, tmp_path):
    """They were given by the code at that commit, so the recipe of earlier names is right."""
    params = shutil.copytree(ROOT / "params", tmp_path / "params")
    path = params / "profiles" / "quick.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | {"embedding": QUICK}))
    names = earlier_names(Study.load("quick", params=params), versions["d95d00d"])
    assert "smallnet-3d-plain-seed0-c75a4cba6f" in names
    assert "smallnet-3d-exchange-seed0-4132638c34" in names


def test_adopting_moves_finished_trainings_and_their_references(versions, tmp_path):
    study = Study.load("smoke", outputs=tmp_path)
    present = {new: old for old, new in earlier_names(study, versions["d95d00d"]).items()}
    regressor, spec = next(iter(study.regressors.items()))
    embedding = spec.embedding
    finished_training(study.outputs / "embeddings" / present[embedding], seed=0)
    finished_training(
        study.outputs / "regressors" / present[regressor], embedding=present[embedding]
    )
    (study.outputs / "embeddings" / "unfinished").mkdir()
    assert set(adopt(study)) == {
        (present[embedding], embedding),
        (present[regressor], regressor),
    }
    held = read_json(study.regressor_folder(regressor) / "specification.json")
    assert held["embedding"] == embedding
    assert not (study.outputs / "embeddings" / present[embedding]).exists()
    assert adopt(study) == []


def test_a_training_under_the_present_name_is_left_alone(versions, tmp_path):
    study = Study.load("smoke", outputs=tmp_path)
    old, new = next(iter(earlier_names(study, versions["d95d00d"]).items()))
    finished_training(study.outputs / "embeddings" / old, seed="old")
    finished_training(study.outputs / "embeddings" / new, seed="new")
    assert adopt(study) == []
    assert read_json(study.embedding_folder(new) / "specification.json") == {"seed": "new"}
