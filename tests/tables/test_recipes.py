"""The table of recipes: a tiny study of two recipes, from training to its page."""

import shutil

import pytest
import yaml

from dvelib.checkpoints.specifications import read_yaml
from dvelib.common.errors import StudyError
from dvelib.common.files import ROOT
from dvelib.study.jobs import train_study_embedding
from dvelib.study.plan import Study
from dvelib.study.profiles import TableSpec
from dvelib.tables import recipe_views as views
from dvelib.tables.matching_table import MatchingTable
from dvelib.tables.recording import table_results

PARAMS = ROOT / "params"
RECIPES = {"last weights": {"averaging": None}, "small crops": {"early_crop": 20, "early_steps": 1}}
ROW = {"architecture": "smallnet", "dimension": 64, "exchange": True}
EMBEDDING = {
    "data": {"name": "synthetic", "limit": 12},
    "size": 60,
    "crop": 12,
    "batch": 4,
    "steps": 2,
    "averaging": 8.0,
}


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    params = shutil.copytree(PARAMS, tmp_path_factory.mktemp("study") / "params")
    written = yaml.safe_load((params / "recipes.yaml").read_text())
    written |= {"recipes": RECIPES, "rows": [ROW | {"recipe": name} for name in RECIPES]}
    (params / "recipes.yaml").write_text(yaml.safe_dump(written))
    profile = yaml.safe_load((params / "profiles" / "recipes.yaml").read_text())
    profile |= {"embedding": EMBEDDING, "matching": {"data": {"name": "synthetic", "limit": 6}}}
    (params / "profiles" / "recipes.yaml").write_text(yaml.safe_dump(profile))
    study = Study.load("recipes", params=params, outputs=params.parent / "outputs")
    for name in study.embeddings:
        train_study_embedding(study, name)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Study, "load", lambda *places, **options: study)
        yield MatchingTable("recipes", "recipes")


def test_a_recipe_replaces_values_of_the_profile(table):
    specs = {row.spec.recipe: table.first_seed[row.label].spec for row in table.rows}
    assert specs["last weights"].averaging is None
    assert (specs["small crops"].averaging, specs["small crops"].early_crop) == (8.0, 20)
    assert {spec.steps for spec in specs.values()} == {2}


def test_every_recipe_stands_beside_the_first(table):
    frame = views.comparison(table)
    assert frame.index.tolist() == [*RECIPES, "Perfect features", "Same place"]
    assert frame["training", "pairs"].tolist()[:2] == [8, 8]
    assert frame["across identities", "error"].notna().all()
    beside = frame["beside the first recipe"]
    assert beside.loc["last weights"].isna().all() and beside.loc["small crops"].notna().all()
    errors = frame["across identities", "error"]
    gap = errors["last weights"] - errors["small crops"]
    assert beside.loc["small crops", "effect"] == pytest.approx(gap)
    best = errors[list(RECIPES)].idxmin()
    found = f"Lowest error across identities: {best}, {errors[best]:.2f} px; the first recipe, "
    assert views.headline(table).startswith(found + "last weights, ")
    assert (
        "crops of 20 pixels in the first 1 steps"
        in views.recipes(table).loc["small crops", "training"]
    )


def test_the_record_names_the_recipe_of_each_row(table):
    results = table_results(table, "A finding.")
    assert [row.recipe for row in results.rows] == list(RECIPES)
    assert "average of all weights" in results.rows[1].training.recipe
    assert results.rows[1].training.precision in ("float32", "bfloat16")
    assert {e.compares for e in results.effects} == {"recipe", "baseline"}


def test_a_recipe_that_the_table_does_not_have_is_named(tmp_path):
    written = yaml.safe_load((PARAMS / "recipes.yaml").read_text())
    path = tmp_path / "recipes.yaml"
    path.write_text(yaml.safe_dump(written | {"rows": [ROW | {"recipe": "fast"}]}))
    with pytest.raises(StudyError, match="'fast' is none of the table's recipes: "):
        read_yaml(TableSpec, path)
