import re

import pytest

from dvelib.common.errors import StudyError
from dvelib.common.files import ROOT, read_json, write_json
from dvelib.pages import publish
from dvelib.pages.numbers_csv import numbers_csv
from dvelib.pages.readme import results_text, speed_text
from dvelib.pages.verdicts import claims_text, judge
from dvelib.study.earlier_names import present_names
from dvelib.study.plan import Study
from tests.recorded import table_names


def test_the_readme_says_what_the_published_results_say():
    """`dve publish` writes both; a number typed by hand shows here."""
    found = publish.MARKED.search((ROOT / "README.md").read_text())
    assert found[0] == found[1] + publish.leading_results() + found[2]
    assert "SmallNet 64-d without exchange" in found[0]
    for path in publish.PUBLISHED.glob("*/README.md"):
        assert path.read_text().endswith(results_text(publish.published_results(path.parent)))


def test_claims_and_numbers_are_those_of_the_published_results():
    """Of every published study."""
    for path in publish.PUBLISHED.glob("*/claims.md"):
        results = publish.published_results(path.parent)
        assert path.read_text() == claims_text(judge(results))
        assert (path.parent / "results.csv").read_text() == numbers_csv(results)


def test_the_readme_says_what_the_benchmark_says():
    found = publish.SPEED.search((ROOT / "README.md").read_text())
    results = publish.read_json(publish.PUBLISHED / "benchmark.json")
    assert found[0] == found[1] + speed_text(results) + found[2]
    assert not results["small"]


def test_a_study_that_has_not_run_is_not_published(tmp_path, monkeypatch):
    monkeypatch.setattr(publish, "PUBLISHED", tmp_path / "published")
    with pytest.raises(StudyError, match="has no results of the current parameters, data"):
        publish.publish(Study.load("smoke", outputs=tmp_path))
    assert not list((tmp_path / "published").rglob("*"))


def test_published_results_are_of_this_schema_and_of_known_tables():
    for folder in (path.parent for path in publish.PUBLISHED.glob("*/claims.md")):
        results = publish.published_results(folder)
        assert len(results) >= 17 and {table.table for table in results} <= set(table_names())
        assert {table.profile.name for table in results} == {folder.name}


def test_pictures_of_the_readme_are_there():
    text = (ROOT / "README.md").read_text()
    paths = re.findall(r"\]\((outputs/[^)]*)\)", text)
    assert len(paths) > 5 and [path for path in paths if not (ROOT / path).exists()] == []
    assert any(path.endswith("explorer.jpg") for path in paths)
    for path in publish.PUBLISHED.glob("*/matches.png"):
        assert "](matches.png)" in path.with_name("README.md").read_text()


def test_published_results_get_present_names(tmp_path, monkeypatch):
    study = Study.load("quick")
    old, new = next(iter(present_names(study).items()))
    path = publish.PUBLISHED / "quick" / "ablation_exchange_matching.json"
    results = publish.read_results(path)
    row = results.rows[0].model_copy(update={"embeddings": (old, "another")})
    changed = results.model_copy(update={"rows": (row, *results.rows[1:])})
    monkeypatch.setattr(publish, "PUBLISHED", tmp_path)
    publish.write_results(tmp_path / "quick" / path.name, changed)
    assert publish.rename_published(study) == [tmp_path / "quick" / path.name]
    held = publish.read_results(tmp_path / "quick" / path.name)
    assert held.rows[0].embeddings == (new, "another")
    assert publish.rename_published(study) == []


def test_results_of_a_benchmark_are_shared_by_the_name_of_the_hardware(tmp_path, monkeypatch):
    monkeypatch.setattr(publish, "PUBLISHED", tmp_path)
    results = {"made": {"Hardware": "NVIDIA H100 80GB (SXM)"}, "small": False}
    write_json(tmp_path / "results.json", results)
    shared = publish.share_benchmark(tmp_path)
    assert shared == tmp_path / "benchmarks" / "nvidia-h100-80gb-sxm.json"
    assert read_json(shared) == results
    write_json(tmp_path / "results.json", results | {"small": True})
    with pytest.raises(StudyError, match="measure without --small"):
        publish.share_benchmark(tmp_path)
