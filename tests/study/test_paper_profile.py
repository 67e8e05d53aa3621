"""The paper profile asks for the published study: every specification against published.json."""

import pytest

from dvelib.paper.numbers import published_tables
from dvelib.study.plan import Study

STUDY = Study.load("paper", without_data=True)
PUBLISHED = {
    row["experiment"]: row for table in published_tables().values() for row in table["rows"]
}
NETWORKS = {"SmallNet": "smallnet", "HourglassNet": "hourglass", "Hourglass": "hourglass"}
# What the published tables print has its embedding here, and its regressor where it has one.
EMBEDDED, REGRESSED = [], []
for _name, _table in STUDY.tables.items():
    for _row in STUDY.rows[_name]:
        if _row.spec.published and _table.measures == "matching":
            EMBEDDED.append((_row.spec.published, _row.embeddings[0]))
        elif _row.spec.published:
            REGRESSED.append((_row.spec.published, _row.regressors[0]))


def test_every_row_of_all_seventeen_tables_runs():
    assert len(STUDY.tables) == 17
    assert {table.published for table in STUDY.tables.values()} == set(published_tables())
    assert all(row.embeddings for rows in STUDY.rows.values() for row in rows)
    named = {row.spec.published for rows in STUDY.rows.values() for row in rows}
    assert set(PUBLISHED) <= named


@pytest.mark.parametrize(("experiment", "name"), EMBEDDED, ids=[e for e, _ in EMBEDDED])
def test_embeddings_are_the_published_ones(experiment, name):
    row, spec = PUBLISHED[experiment], STUDY.embeddings[name]
    assert spec.architecture == NETWORKS[row["arch"]]
    assert (spec.dimension, spec.size, spec.crop) == (row["dim"], row["imwidth"], row["crop"])
    assert spec.epochs == row["epoch"]
    assert spec.exchange == row["loss"].endswith("_dve")
    assert spec.scale == (None if row["normalize_vectors"] is False else 20.0)
    hourglass = spec.architecture == "hourglass"
    assert spec.batch == (16 if hourglass else 32)
    assert (spec.learning_rate, spec.weight_decay, spec.amsgrad) == (1e-3, 0, True)
    assert spec.precision == "float32" and spec.noise == "published"
    if spec.parent is None:
        assert row["finetune_from"] is None and spec.data.name == "celeba"
        assert spec.lower_rate_from == ((52,) if hourglass else (72, 92))
        assert spec.bias_lr == (None if hourglass else 1e-5)
    else:
        parent = f"celeba-{spec.architecture}-{spec.dimension}d{'-dve' if spec.exchange else ''}"
        assert f"/{parent}/" in row["finetune_from"] and spec.parent.data.name == "celeba"
        assert experiment.startswith(f"{spec.data.name}-ft-")
        assert (spec.lower_rate_from, spec.bias_lr) == ((32, 42), None)


@pytest.mark.parametrize(("experiment", "name"), REGRESSED, ids=[e for e, _ in REGRESSED])
def test_regressors_are_the_published_ones(experiment, name):
    row, spec = PUBLISHED[experiment], STUDY.regressors[name]
    embedding = STUDY.embeddings[spec.embedding]
    assert (embedding.architecture, embedding.dimension) == (NETWORKS[row["arch"]], row["dim"])
    assert (embedding.size, embedding.crop) == (row["imwidth"], row["crop"])
    assert spec.epochs == row["epoch"] and spec.batch == 32
    assert (spec.virtual_points, spec.softmax_scale, spec.alpha) == (50, 100, 10)
    assert (spec.weight_decay, spec.amsgrad) == (5e-4, True)
    few = spec.annotations is not None
    assert spec.learning_rate == (1e-2 if few else 1e-3)
    assert spec.lower_rate_from == (() if few else (102, 252))
    assert experiment.startswith(f"{spec.data.name}-")
    assert few == ("-annos-" in experiment)
    if few:
        assert f"-{spec.annotations}-annos-" in experiment and not spec.fresh_warps
    # The embedding it stands on: fine-tuned on the same images, or as it left CelebA.
    assert (embedding.parent is not None) == ("-ft-" in experiment)
    on = f"{spec.data.name}-ft-" if embedding.parent else ""
    exchange = "-dve" if embedding.exchange else ""
    source = f"{on}celeba-{embedding.architecture}-{embedding.dimension}d{exchange}"
    assert f"/{source}/" in row["finetune_from"]


def test_the_plan_says_what_is_missing_and_runs_nothing(tmp_path, capsys):
    from dvelib.cli import main

    options = ["--profile", "paper", "--data", str(tmp_path), "--outputs", str(tmp_path / "out")]
    assert main(["plan", *options]) == 0
    out = capsys.readouterr().out
    assert "146,501 images of celeba, 457,800 steps of 32 pairs" in out
    assert out.count("missing ") == 5
    assert main(["study", *options]) == 2
    told = capsys.readouterr().err
    page = (tmp_path / "out" / "paper" / "site" / "missing.html").read_text()
    for name in ("celeba", "300w", "aflw", "aflw-mtfl"):
        assert f"dve fetch {name} --data {tmp_path}" in told
        assert f"dve fetch {name} --data {tmp_path}" in page
    assert not list((tmp_path / "out" / "paper").rglob("*.safetensors"))
