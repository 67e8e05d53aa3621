"""One training of a study: trained, found again, and recorded where it fails."""

import dataclasses

import pytest
import torch

from dvelib import StudyError
from dvelib.common.files import FAILURE, read_json
from dvelib.study import jobs
from dvelib.study.jobs import train_study_embedding, train_study_regressor
from dvelib.study.plan import Study
from dvelib.training.embeddings import resolve_device

without_gpu = pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is there")


@pytest.fixture
def study(tmp_path):
    return Study.load("smoke", outputs=tmp_path / "outputs")


def test_an_embedding_is_trained_then_a_regressor_on_it(study):
    name = next(iter(study.embeddings))
    regressor = next(key for key, spec in study.regressors.items() if spec.embedding == name)
    with pytest.raises(StudyError, match="holds no finished embedding"):
        train_study_regressor(study, regressor)
    assert FAILURE in [p.name for p in study.regressor_folder(regressor).iterdir()]
    assert train_study_embedding(study, name).folder == study.embedding_folder(name)
    assert train_study_regressor(study, regressor).folder == study.regressor_folder(regressor)


def test_one_failing_regressor_stops_no_other(study, monkeypatch):
    first, second = list(study.regressors)[:2]
    tried = []

    def fail_first(study, name):
        tried.append(name)
        if name == first:
            raise StudyError("the first cannot be trained")

    monkeypatch.setattr(jobs, "train_study_regressor", fail_first)
    with pytest.raises(StudyError, match="the first cannot be trained"):
        jobs.train_study_regressors(study, [first, second])
    assert tried == [first, second]


@without_gpu
def test_a_gpu_that_is_not_there_is_named():
    assert resolve_device("auto") == resolve_device("cpu") == torch.device("cpu")
    with pytest.raises(StudyError, match="a GPU was asked for .* set device to auto or cpu"):
        resolve_device("cuda")


@without_gpu
def test_the_reason_of_a_failure_is_recorded(study):
    profile = study.profile.model_copy(update={"device": "cuda"})
    study = dataclasses.replace(study, profile=profile)
    name = next(iter(study.embeddings))
    with pytest.raises(StudyError, match="^a GPU was asked for") as caught:
        train_study_embedding(study, name)
    found = read_json(study.embedding_folder(name) / FAILURE)
    assert (found["what"], found["message"]) == (f"embedding {name}", str(caught.value))
