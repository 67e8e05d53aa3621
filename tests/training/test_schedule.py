"""Lengths of trainings, and where their learning rates drop."""

import pytest

from dvelib.checkpoints.specifications import BenchmarkData, RegressorSpec, read_yaml
from dvelib.common.files import ROOT
from dvelib.study.profiles import ProfileSpec
from dvelib.training.schedule import Schedule, published_drops


def test_the_published_length_has_the_published_drops():
    published = RegressorSpec(embedding="e", data=BenchmarkData(name="mafl"))
    assert published_drops(300) == published.lower_rate_from == (102, 252)


@pytest.mark.parametrize("epochs", [1, 2, 4, 50, 150, 299])
def test_other_lengths_drop_at_the_same_part(epochs):
    drops = published_drops(epochs)
    assert list(drops) == sorted(set(drops)) and drops[0] >= 2
    if epochs > 2:
        for drop, part in zip(drops, (101 / 300, 251 / 300), strict=True):
            assert drop - 1 == pytest.approx(part * epochs, abs=0.5 + 1e-9)


def test_the_profiles_of_real_faces_follow_the_same_rule():
    profile = read_yaml(ProfileSpec, ROOT / "params" / "profiles" / "faces.yaml")
    settings = [profile.regressor, *(b.settings for b in profile.benchmarks.values())]
    stated = [s for s in settings if s.epochs is not None]
    assert len(stated) > 1
    assert all(s.lower_rate_from == published_drops(s.epochs) for s in stated)


def test_epochs_and_steps_count_from_one():
    epochs = Schedule.in_epochs(4, 10, (2, 4))
    assert (epochs.steps, epochs.drops) == (40, (10, 30))
    steps = Schedule.in_steps(40, 10, (11, 31))
    assert steps == epochs
    assert [epochs.factor(step) for step in (0, 9, 10, 29, 30)] == [1, 1, 0.1, 0.1, 0.1**2]
