from types import SimpleNamespace

import pytest

from dvelib.checkpoints.specifications import DataSpec, EmbeddingSpec
from dvelib.study import hours
from dvelib.study.hours import image_count, measure_rate, missing_data, plan_lines
from dvelib.study.plan import Study


def test_every_job_of_the_plan_has_a_line_after_what_it_depends_on():
    study = Study.load("smoke")
    lines = list(plan_lines(study))
    text = "\n".join(lines)
    for name in (*study.embeddings, *study.regressors, *study.tables):
        assert f"{name}:" in text
    place = {
        name: next(i for i, line in enumerate(lines) if f" {name}:" in line)
        for name in (*study.embeddings, *study.regressors)
    }
    assert all(place[parent] < place[child] for child, parent in study.parents.items())
    assert all(place[spec.embedding] < place[name] for name, spec in study.regressors.items())


def test_hours_follow_from_rates():
    study = Study.load("smoke")
    rates = dict.fromkeys(study.embeddings, 0.01)
    lines = list(plan_lines(study, rates))
    # Three steps of four pairs, at a pair in a hundred seconds.
    assert any(line.endswith("3 steps of 4 pairs, to train, 0.33 hours") for line in lines)
    assert any("hours of training embeddings, one at a time" in line for line in lines)


def test_images_are_counted_where_they_are_and_as_published_where_not(tmp_path):
    counted = [
        image_count(DataSpec(**data), "train", tmp_path)
        for data in (
            {"name": "synthetic"},
            {"name": "synthetic", "limit": 7},
            {"name": "300w"},
            {"name": "mafl", "limit": 20_000},
            {"name": "folder"},
        )
    ]
    assert counted == [5_000, 7, 3_148, 19_000, None]


def test_missing_datasets_are_named_once_each_with_what_to_do(tmp_path):
    study = Study.load("faces", tmp_path, without_data=True)
    found = {entry["name"]: entry for entry in missing_data(study)}
    assert set(found) == {"folder", "mafl", "300w", "aflw", "aflw-mtfl"}
    assert found["aflw"]["folder"] == str(tmp_path / "aflw" / "aflw_release-2")
    assert found["mafl"]["fetch"] == f"dve fetch celeba --data {tmp_path}"
    assert found["folder"]["fetch"] == "your own pictures"


@pytest.mark.parametrize("exchange", [False, True])
def test_a_rate_is_measured_in_a_moment(exchange):
    spec = EmbeddingSpec(
        data=DataSpec(name="synthetic"),
        dimension=4,
        size=24,
        crop=4,
        batch=4,
        epochs=100,
        exchange=exchange,
        noise="colour",
    )
    assert measure_rate(spec, "cpu", seconds=0.1) > 0


def test_a_rate_is_that_of_warm_steps_however_long_the_first_took(monkeypatch):
    runs = []

    def fake_train(spec, faces, folder, *, device):
        """Eight seconds once, a moment to start, and four milliseconds a step."""
        taken = 0.03 + 0.004 * spec.steps + (0 if runs else 8)
        runs.append(spec.steps)
        made = {"pairs": spec.steps * spec.batch, "seconds": round(taken, 1)}
        return SimpleNamespace(provenance=made)

    monkeypatch.setattr(hours, "train", fake_train)
    spec = EmbeddingSpec(data=DataSpec(name="synthetic"), size=24, crop=4, batch=4, epochs=1)
    assert measure_rate(spec, "cpu", seconds=10) == pytest.approx(1000, rel=0.02)
    assert sum(runs) * 0.004 < 20
