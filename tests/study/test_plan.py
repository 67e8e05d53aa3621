import shutil

import pytest
import yaml

from dvelib.common.errors import StudyError
from dvelib.common.files import ROOT
from dvelib.study.plan import Study
from dvelib.training import versions
from tests.tiny_study import TABLE, write_tiny_study

PARAMS = ROOT / "params"


@pytest.fixture
def params(tmp_path):
    """A copy of the parameter files, and a way to change the smoke profile in it."""
    folder = tmp_path / "params"
    shutil.copytree(PARAMS, folder)

    def change(**values):
        path = folder / "profiles" / "smoke.yaml"
        path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | values))
        return folder

    change.folder = folder
    return change


def test_tables_share_the_embeddings_they_have_in_common():
    study = Study.load("smoke")
    rows = [row for table in study.rows.values() for row in table]
    asked = [name for row in rows for name in row.embeddings]
    # Smoke: three embeddings with exchange, two without; of 64-d ones, two on 300-W and three on
    # either AFLW go on learning.
    assert len(set(asked)) == len(study.embeddings) == 5 + 2 + 3 + 3 + 4 < len(asked)
    regressors = [name for row in rows for name in row.regressors]
    # Five embeddings on four benchmarks, each fine-tuned one on its own; and two of those on
    # AFLW_M from 1 and from 5 images, picked twice.
    assert len(set(regressors)) == len(study.regressors) == 20 + 8 + 2 * 2 * 2 + 4 < len(regressors)


def test_a_fine_tuned_embedding_starts_from_the_one_that_the_profile_trains(params):
    study = Study.load("smoke")
    assert len(study.parents) == 8
    for child, parent in study.parents.items():
        spec = study.embeddings[child]
        assert spec.parent == study.embeddings[parent]
        assert (spec.steps, spec.scale, spec.bias_lr, spec.seed) == (2, 20.0, None, 0)
        assert spec.size == spec.parent.size and spec.label.endswith(", fine-tuned")
    smoke = yaml.safe_load((PARAMS / "profiles" / "smoke.yaml").read_text())
    longer = smoke["embedding"] | {"steps": 4}
    changed = Study.load("smoke", params=params(embedding=longer))
    assert not set(study.parents) & set(changed.parents)


def test_picks_of_annotated_images_are_regressors_of_their_own():
    study = Study.load("smoke")
    few = [spec for spec in study.regressors.values() if spec.annotations]
    assert {(s.annotations, s.seed) for s in few} == {(1, 0), (1, 1), (5, 0), (5, 1)}
    assert {s.learning_rate for s in few} == {1e-2}
    rows = study.rows["limited_annotations"]
    assert {len(row.regressors) for row in rows} == {0, 2}


def test_a_regressor_is_named_by_its_embedding_its_faces_its_settings_and_the_version(
    params, monkeypatch
):
    before = set(Study.load("smoke").regressors)
    smoke = yaml.safe_load((PARAMS / "profiles" / "smoke.yaml").read_text())
    less = {"data": {"name": "synthetic", "train_images": 11, "test_images": 6}}
    for change in (
        {"embedding": smoke["embedding"] | {"weight_decay": 1e-3}},
        {"regressor": smoke["regressor"] | {"weight_decay": 1e-3}},
        {"benchmarks": dict.fromkeys(smoke["benchmarks"], less)},
    ):
        assert not before & set(Study.load("smoke", params=params(**change)).regressors)
        params(**smoke)
    words = {
        name: value | {"stand_in": {"test": "x"}} for name, value in smoke["benchmarks"].items()
    }
    assert set(Study.load("smoke", params=params(benchmarks=words)).regressors) == before
    monkeypatch.setitem(versions.METHOD_VERSIONS, "few annotations", 99)
    raised = Study.load("smoke")
    few = {name for name, spec in raised.regressors.items() if spec.annotations}
    assert set(raised.regressors) - before == few
    monkeypatch.setitem(versions.METHOD_VERSIONS, "regressor", 99)
    assert not before & set(Study.load("smoke").regressors)


def test_settings_of_a_benchmark_go_before_those_of_the_profile(params):
    smoke = yaml.safe_load((PARAMS / "profiles" / "smoke.yaml").read_text())
    smoke["benchmarks"]["300w"]["settings"] = {"epochs": 7}
    specs = Study.load("smoke", params=params(**smoke)).regressors.values()
    assert {(s.benchmark == "300w", s.epochs) for s in specs} == {(True, 7), (False, 2)}


def test_faces_of_a_benchmark_say_what_they_stand_in_for(params):
    smoke = yaml.safe_load((PARAMS / "profiles" / "smoke.yaml").read_text())
    smoke["benchmarks"]["mafl"]["stand_in"] = {"train": "drawn"}
    study = Study.load("smoke", params=params(**smoke))
    spec = next(s for s in study.regressors.values() if s.benchmark == "mafl")
    train, test = (study.benchmark_data(spec, split) for split in ("train", "test"))
    assert (train.stand_in, len(train)) == ("drawn", 12)


def test_fine_tuned_rows_carry_their_own_numbers_and_names():
    rows = Study.load("smoke").rows["ablation_exchange_regression_aflw"]
    finetuned = [row for row in rows if row.spec.finetuned]
    assert len(finetuned) == 8 and finetuned[-1].embeddings
    assert finetuned[-1].label == "SmallNet 64-d with exchange, fine-tuned"
    assert finetuned[-1].published == {"iod": 7.79}


def test_rows_that_do_not_run_keep_the_papers_numbers():
    study = Study.load("quick")
    row = next(r for r in study.rows["learned_embeddings"] if r.spec.architecture == "hourglass")
    assert row.embeddings == ()
    assert row.published == {"same-identity": 0.93, "different-identity": 2.37}


def test_every_seed_is_an_embedding(params):
    study = Study.load("smoke", params=params(seeds=[0, 1, 2]))
    assert len(study.embeddings) == 3 * 17
    assert {len(row.embeddings) for rows in study.rows.values() for row in rows} == {0, 3}


def test_names_change_with_the_parameters_the_data_and_the_version(params, monkeypatch):
    before = set(Study.load("smoke").embeddings)
    smoke = yaml.safe_load((PARAMS / "profiles" / "smoke.yaml").read_text())
    for change in ({"weight_decay": 1e-3}, {"data": {"name": "synthetic", "limit": 25}}):
        changed = Study.load("smoke", params=params(embedding=smoke["embedding"] | change))
        assert not before & set(changed.embeddings)
    monkeypatch.setitem(versions.METHOD_VERSIONS, "embedding", 99)
    assert not before & set(Study.load("smoke").embeddings)


def test_names_do_not_change_with_the_words_of_the_profile(params):
    before = set(Study.load("smoke").embeddings)
    assert set(Study.load("smoke", params=params(description="other words")).embeddings) == before


def digests(study):
    return {
        study.table_digest("learned_embeddings"),
        study.embedding_page_digest(),
        study.explorer_digest(),
        study.pages_digest(),
    }


def test_names_do_not_depend_on_code_and_pages_do(monkeypatch):
    study = Study.load("smoke")
    names, before = [*study.embeddings, *study.regressors], digests(study)
    assert digests(Study.load("smoke")) == before
    monkeypatch.setattr("dvelib.study.plan.code_digest", lambda *modules: "other code")
    monkeypatch.setattr("dvelib.study.plan.notebook_digest", lambda notebook: "other code")
    changed = Study.load("smoke")
    assert [*changed.embeddings, *changed.regressors] == names
    assert not digests(changed) & before


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dimensions": [5]}, "choose no row of params/learned_embeddings.yaml"),
        ({"tables": ["nonsense"]}, "there is no parameter file .*nonsense.yaml"),
        ({"matching": {"data": {"name": "aflw-mtfl"}}}, "aflw-mtfl needs the folder"),
        ({"matching": {"data": {"name": "celebb"}}}, "matching.data.name: must be one of"),
        ({"embedding": {"stepz": 3}}, "smoke.yaml: unknown key 'embedding.stepz'"),
        ({"extra": 1}, "unknown key 'extra'"),
        ({"benchmarks": {}}, "benchmarks: mafl is missing, and params/landmark_regression_mafl"),
        ({"regressor": {"epoch": 3}}, "unknown key 'regressor.epoch'; did you mean 'epochs'"),
        ({"regressor": {"seed": 3}}, "unknown key 'regressor.seed'"),
    ],
)
def test_mistakes_in_a_profile_stop_before_anything_runs(params, change, message):
    with pytest.raises(StudyError, match=message):
        Study.load("smoke", params=params(**change))


def test_a_row_must_name_a_published_experiment(params):
    path = params.folder / "learned_embeddings.yaml"
    path.write_text(path.read_text().replace("celeba-smallnet-3d-dve", "celeba-smallnet-3d-dvee"))
    message = "'celeba-smallnet-3d-dvee' is no published experiment; did you mean 'celeba-small"
    with pytest.raises(StudyError, match=message):
        Study.load("smoke", params=params.folder)


def test_a_missing_data_folder_is_named(tmp_path):
    with pytest.raises(StudyError, match=r"there is no .*/aflw-mtfl; unpack the data"):
        Study.load("faces", tmp_path)


def test_table_digests_change_with_what_a_table_shows(params):
    before = Study.load("smoke").table_digest("learned_embeddings")
    assert Study.load("smoke").table_digest("learned_embeddings") == before
    changed = Study.load("smoke", params=params(matching={"data": {"name": "synthetic"}}))
    assert changed.table_digest("learned_embeddings") != before


def test_own_parameter_files_lie_beside_the_results(tmp_path):
    write_tiny_study(tmp_path / "params")
    study = Study.load("tiny", outputs=tmp_path / "results")
    assert study.profile.title == "Tiny study" and len(study.rows[TABLE]) == 1
    assert len(Study.load("smoke", outputs=tmp_path / "results").rows[TABLE]) == 1
    with pytest.raises(StudyError, match="are: faces, paper, quick, recipes, smoke, tiny$"):
        Study.load("nope", outputs=tmp_path / "results")
    with pytest.raises(StudyError, match="no parameter file"):
        Study.load("tiny", outputs=tmp_path / "elsewhere" / "results")
