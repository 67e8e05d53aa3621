"""The error against the number of labels, and the notebook that shows it."""

import numpy as np
import pandas as pd
import pytest

from dvelib import StudyError
from dvelib.own.drawn_fish import LANDMARKS, draw_fish
from dvelib.own.embedding_training import train_embedding
from dvelib.own.label_counts import (
    MEAN_POSITION,
    LabelCounts,
    errors_by_label_count,
    summary,
    verdict,
)
from dvelib.own.landmark_file import LandmarkFile

TINY = {"dimension": 4, "size": 24, "crop": 0, "batch": 4, "steps": 3, "device": "cpu"}
SETTINGS = LabelCounts((1, 3, 99), draws=2, copies=16, epochs=1, batch=8, device="cpu")
QUIET = {"say": lambda text: None}


@pytest.fixture(scope="module")
def fish(tmp_path_factory):
    folder = draw_fish(tmp_path_factory.mktemp("own") / "fish", 9, test=4)
    train_embedding(folder, fit="whole", **TINY, **QUIET)
    return folder


@pytest.fixture(scope="module")
def errors(fish):
    return errors_by_label_count(fish, {"ours": fish.with_name("fish-embedding")}, SETTINGS)


def test_fish_are_the_same_on_every_call(fish, tmp_path):
    again = draw_fish(tmp_path / "fish", 9, test=4)
    for name in ("fish003.png", "landmarks.csv"):
        assert (fish / name).read_bytes() == (again / name).read_bytes()
    file = LandmarkFile(fish)
    assert file.count == len(LANDMARKS)
    assert sum(map(file.is_test, file.files)) == 4
    points = np.stack([file.points(name) for name in file.files])
    assert (points > 0).all() and (points < (160, 128)).all()


def test_every_test_picture_has_an_error_for_each_draw(errors):
    counts = errors.groupby(["embedding", "labels", "draw"]).size()
    assert set(counts.index.get_level_values("labels")) == {1, 3}  # 99 are not there
    assert len(counts) == 2 * 2 * 2 and (counts == 4).all()
    assert np.isfinite(errors["error"]).all()


def test_the_baseline_is_the_mean_of_the_drawn_pictures(fish, errors):
    """With one labelled picture the mean position is that picture's."""
    file = LandmarkFile(fish)
    drawn = [
        100 * np.linalg.norm(file.points(a) - file.points("fish008.png"), axis=1).mean() / 160
        for a in file.files[:5]
    ]
    chosen = errors[(errors["embedding"] == MEAN_POSITION) & (errors["labels"] == 1)]
    found = chosen[chosen["picture"] == "fish008.png"]["error"]
    assert all(np.isclose(value, drawn, atol=1e-3).any() for value in found)


def test_landmarks_outside_every_draw_are_not_counted(fish, tmp_path):
    folder = draw_fish(tmp_path / "fish", 4, test=2)
    file = LandmarkFile(folder)
    for name in file.files[:2]:
        file.set_point(name, 0, None)
    given = {"ours": fish.with_name("fish-embedding")}
    found = errors_by_label_count(folder, given, LabelCounts((2,), 1, copies=8, epochs=1, batch=8))
    assert np.isfinite(found["error"]).all()


def test_the_summary_and_its_sentences(errors):
    means = summary(errors)
    assert list(means.columns) == ["embedding", "labels", "error", "low", "high"]
    assert (means["low"] <= means["error"]).all() and (means["error"] <= means["high"]).all()
    table = {"embedding": ["a", "a", MEAN_POSITION, MEAN_POSITION], "labels": [2, 5, 2, 5]}
    said = verdict(pd.DataFrame(table | {"error": [9.0, 4.0, 8.0, 7.0]}))
    assert said == (
        "With the embedding *a* the mean error goes from 9.0 % with 2 labelled pictures to 4.0 % "
        "with 5; it is lower than that of the mean position with 5 labelled pictures."
    )


def test_pictures_for_testing_are_needed(fish, tmp_path):
    folder = draw_fish(tmp_path / "fish", 3, test=0)
    with pytest.raises(StudyError, match="must label pictures for training and pictures for test"):
        errors_by_label_count(folder, {"ours": fish.with_name("fish-embedding")}, SETTINGS)


def test_the_notebook_shows_the_errors_and_keeps_them(run_notebook):
    folder = run_notebook("own_pictures")
    page = (folder / "page.ipynb").read_text()
    assert "it is lower than that of the mean position with" in page
    assert len(pd.read_csv(folder / "own_pictures" / "fish" / "errors.csv")) == 2 * 3 * 20
