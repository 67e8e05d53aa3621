"""What a table records is read as it was written, or refused in one sentence."""

import json

import pytest
from pydantic import ValidationError

from dvelib import StudyError
from dvelib.checkpoints.specifications import BENCHMARKS
from dvelib.paper.benchmark_titles import BENCHMARK_TITLES
from dvelib.tables.made import Range, made_facts
from dvelib.tables.results import SCHEMA_VERSION, TableResults, read_results, write_results
from tests.recorded import audit, of_the_paper, recorded, table_names


@pytest.mark.parametrize("name", table_names())
def test_results_are_read_as_they_were_written(tmp_path, name):
    results = of_the_paper(name)
    write_results(tmp_path / "results.json", results)
    assert read_results(tmp_path / "results.json") == results
    values = json.loads((tmp_path / "results.json").read_text())
    assert values["schema_version"] == SCHEMA_VERSION


def test_results_do_not_change():
    with pytest.raises(ValidationError, match="frozen"):
        recorded("learned_embeddings", lambda row, _: 1.0).title = "another"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema_version": 1}, "has schema version 1, and this code reads version 2: run the"),
        ({"schema_version": 99}, "has schema version 99"),
        ({"unit": "cm"}, "unit: must be 'px' or '%', got 'cm'"),
        ({"extra": 1}, "unknown key 'extra'"),
        ({"measures": [{"name": "iod"}]}, "measures.0.title: is missing"),
        ({"headline": None}, "headline: must be a valid string, got None"),
    ],
)
def test_a_record_that_does_not_fit_is_refused_in_one_sentence(tmp_path, change, message):
    path = tmp_path / "results.json"
    values = recorded("learned_embeddings", lambda row, _: 1.0).model_dump(mode="json")
    path.write_text(json.dumps(values | change))
    with pytest.raises(StudyError, match="results.json") as error:
        read_results(path)
    assert message in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("text", ["", "{", '{"table": "x"', "\x00"])
def test_a_damaged_file_is_refused(tmp_path, text):
    (tmp_path / "results.json").write_text(text)
    with pytest.raises(StudyError, match="is damaged .* delete it and run the table again"):
        read_results(tmp_path / "results.json")


def test_no_file_is_another_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_results(tmp_path / "results.json")


def test_the_embedding_of_a_row_has_no_count_of_annotations():
    rows = of_the_paper("limited_annotations").rows
    assert rows[1].label == "SmallNet 3-d without exchange, fine-tuned, 5 images annotated"
    assert rows[1].embedding == rows[0].embedding == "SmallNet 3-d without exchange, fine-tuned"
    assert rows[0].published["mean_iod"].spread == 3.1 and "std_iod" not in rows[0].published


def test_every_benchmark_has_a_title():
    assert set(BENCHMARK_TITLES) == set(BENCHMARKS)


def test_rows_with_results_are_those_that_ran():
    results = recorded("learned_embeddings", lambda row, _: 5.0 if row.dimension == 3 else None)
    assert [row.dimension for row in results.rows_with_results] == [3]


def facts(results: TableResults) -> dict[str, str]:
    return made_facts(results.made, "smoke: tests", results.measured_on, results.learned_on)


def test_facts_of_a_matching_table():
    found = facts(of_the_paper("learned_embeddings"))
    assert found["Profile"] == "smoke: tests" and found["Matched on"] == audit("test").text
    assert found["Training of each"] == "40 pairs to 80 pairs"
    assert found["Speed"] == "3 pairs/s"  # both ends look the same
    assert found["Time in all"] == "1.5 minutes of training"
    assert "Fine-tuned on" not in found and "Regressors" not in found


def test_facts_of_a_landmark_table():
    found = facts(of_the_paper("limited_annotations"))
    assert found["Landmarks learned on"] == audit("train").text
    assert found["Regressors"] == "50 virtual keypoints a landmark, 3 epochs in batches of 8"
    assert found["Test images seen in training"] == "0 by the embeddings, 1 by the regressors"


def test_a_range_of_one_value_is_that_value():
    assert Range(low=5, high=5).text("{:,.0f} steps") == "5 steps"
    assert Range(low=1500, high=5000).text("{:,.0f} steps") == "1,500 steps to 5,000 steps"
