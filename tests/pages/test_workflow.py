"""The whole study on the smoke profile: once through, again, killed half-way, and failing."""

import html
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas
import pytest
from filelock import FileLock

from dvelib.data import open_dataset
from dvelib.paper.claims import CLAIMS
from dvelib.study.plan import Study
from dvelib.tables.results import read_results
from tests.browser.checks import problems

COMMAND = [sys.executable, "-m", "dvelib.cli", "study", "--profile", "smoke", "--outputs"]


# The target of the run that gets killed: a table, which needs embeddings and regressors.
TARGET = "tables/ablation_exchange_regression_mafl/page.ipynb"


def run(outputs: Path, *rest: str) -> subprocess.CompletedProcess:
    command = [*COMMAND, str(outputs), *rest]
    return subprocess.run(command, capture_output=True, text=True, timeout=1800)


def rows(outputs: Path) -> dict:
    """Every number of every table."""
    found = sorted((outputs / "smoke" / "tables").glob("*/results.json"))
    return {path.parent.name: json.loads(path.read_text())["rows"] for path in found}


def changed_after(folder: Path, moment: float) -> list[str]:
    files = (p for p in folder.rglob("*") if p.is_file() and ".snakemake" not in p.parts)
    return [p.name for p in files if p.stat().st_mtime > moment and not p.name.startswith(".")]


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    """Outputs of one whole run, which the processes of a parallel test run share."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    outputs, succeeded = folder / "finished-study", folder / "finished-study.succeeded"
    with FileLock(folder / "finished-study.lock"):
        if not succeeded.exists():
            result = run(outputs)
            assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]
            succeeded.touch()
    return outputs


def test_every_table_and_embedding_has_a_page_that_the_index_links(finished):
    site = finished / "smoke" / "site"
    index = (site / "index.html").read_text()
    links = set(re.findall(r'href="([^"#]+\.html)"', index))
    study = Study.load("smoke")
    expected = {f"tables/{name}.html" for name in study.tables}
    expected |= {f"embeddings/{name}.html" for name in study.embeddings_with_pages}
    expected |= {"claims.html", "explore.html"}
    assert expected <= links
    assert all((site / link).exists() for link in links)


def test_every_row_that_runs_has_every_number(finished):
    tables, study = rows(finished), Study.load("smoke")
    assert set(tables) == set(study.tables) and len(tables) == 19
    several = {"learned_embeddings": 4, "ablation_exchange_matching": 4, "finetuned_matching": 6}
    several |= {"learning_curve": 5, "any_descriptor": 8}
    for name, table in tables.items():
        spec = study.tables[name]
        numbers = several.get(spec.kind, 1)
        assert (numbers > 1) == (spec.measures != "landmarks")
        for row in table:
            runs = row["embeddings"] or row["exchange"] is None
            assert len(row["ours"]) == (numbers if runs else 0)
            assert all(0 < value["mean"] < 200 for value in row["ours"].values())


def test_describers_stand_beside_the_embeddings(finished):
    table = rows(finished)["any_descriptor"]
    others = {row["label"] for row in table if row["exchange"] is None}
    assert {"colour patches", "position", "dense SIFT", "DAISY", "HOG"} <= others
    assert all(row["milliseconds"] > 0 and row["stride"] == 2 for row in table)
    position = next(row for row in table if row["label"] == "position")
    place = json.loads(
        (finished / "smoke" / "tables" / "any_descriptor" / "results.json").read_text()
    )["references"]
    same = next(r for r in place if r["name"] == "same place" and r["measure"] == "dense")
    assert position["ours"]["dense"]["mean"] == pytest.approx(same["mean"], abs=0.6)


def test_a_learning_curve_goes_on_from_its_shorter_trainings(finished):
    study = Study.load("smoke", outputs=finished)
    assert len(study.earlier) == 4
    for longer, shorter in study.earlier.items():
        histories = [
            pandas.read_csv(study.embedding_folder(name) / "history.csv")
            for name in (shorter, longer)
        ]
        both = histories[1].iloc[: len(histories[0])]
        pandas.testing.assert_frame_equal(histories[0], both)


def test_a_row_has_the_same_numbers_in_every_table_that_shows_it(finished):
    tables = rows(finished)
    for first, second in (
        ("learned_embeddings", "ablation_exchange_matching"),
        ("landmark_regression_aflw_mtfl", "ablation_finetuning_aflw_mtfl"),
    ):
        shared, again = ({r["label"]: r["ours"] for r in tables[n]} for n in (first, second))
        both = shared.keys() & again.keys()
        assert any(shared[label] for label in both)
        assert all(shared[label] == again[label] for label in both)


def test_fine_tuned_embeddings_are_other_networks_than_their_parents(finished):
    embeddings = finished / "smoke" / "embeddings"
    parents = Study.load("smoke").parents
    assert len(parents) > 5
    for child, parent in parents.items():
        weights = [(embeddings / n / "weights.safetensors").read_bytes() for n in (child, parent)]
        assert weights[0] != weights[1]
        spec = json.loads((embeddings / child / "specification.json").read_text())
        assert spec["scale"] == 20 and spec["parent"]["seed"] == spec["seed"]


def test_landmark_errors_are_those_of_the_predictions_kept_beside_the_regressors(finished):
    """Distance from the truth over that of the outer eye corners, mean over faces and points."""
    faces = open_dataset("synthetic-68", None, "test", size=52, crop=10, limit=6).landmarks
    between = np.linalg.norm(faces[:, 36] - faces[:, 45], axis=1)
    ran = [row for row in rows(finished)["landmark_regression_300w"] if row["embeddings"]]
    assert len(ran) == 3
    for row in ran:
        folder = finished / "smoke" / "regressors" / row["regressors"][0]
        distances = np.linalg.norm(np.load(folder / "predictions.npy") - faces, axis=2)
        error = 100 * (distances / between[:, None]).mean()
        assert row["ours"]["iod"]["mean"] == pytest.approx(error, rel=1e-4)
        assert row["ours"]["iod"]["low"] <= error <= row["ours"]["iod"]["high"]


def own_pages(finished):
    """The pages of a site but those of functions, which pdoc makes and tests/pages checks."""
    site = finished / "smoke" / "site"
    return sorted(page for page in site.rglob("*.html") if site / "api" not in page.parents)


def test_pages_load_nothing_from_the_network(finished):
    for page in own_pages(finished):
        text = page.read_text()
        assert not re.search(r'(?:src|href)="(?:https?:)?//', text), page
        assert not re.search(r"<script[^>]+src=|@import|<link[^>]+stylesheet", text), page
        assert all('alt="' in image for image in re.findall(r"<img[^>]*>", text)), page


def test_every_page_is_whole_in_a_browser_without_network(finished, browser):
    pages = own_pages(finished)
    study = Study.load("smoke")
    assert len(pages) >= 2 + len(study.tables) + len(study.embeddings_with_pages)
    assert [fault for page in pages for fault in problems(browser, page)] == []


def test_every_table_has_its_line_on_a_small_index(finished):
    index = (finished / "smoke" / "site" / "index.html").read_text()
    tables = Study.load("smoke").tables
    assert [name for name in tables if f'<li id="{name}">' not in index] == []
    assert all(f'href="tables/{name}.html"' in index for name in tables)
    assert len(index) < 200_000


def test_every_effect_of_rows_that_ran_is_recorded_and_every_number_in_the_csv(finished):
    ran = 0
    for path in (finished / "smoke" / "tables").glob("*/results.json"):
        results = read_results(path)
        ours = {row.label: row.ours for row in results.rows}
        for line in results.effects:
            measured = [ours[i] for i in (line.first, line.second) if i in ours]
            assert (line.measured is not None) == all(measured)
            if line.first in ours and line.measured and line.compares != "products":
                means = [numbers[line.measure].mean for numbers in measured]
                found = line.measured
                assert [found.before, found.after] == pytest.approx(means, rel=1e-4)
                assert found.low <= found.effect <= found.high
                ran += 1
    assert ran > 50
    frame = pandas.read_csv(finished / "smoke" / "site" / "results.csv")
    lines = frame[(frame["kind"] == "row") & (frame["source"] == "ours")]
    assert len(lines) == sum(len(r["ours"]) for table in rows(finished).values() for r in table)


def test_claims_are_judged_from_what_ran(finished):
    page = (finished / "smoke" / "site" / "claims.html").read_text()
    assert all(claim.sentence in html.unescape(page) for claim in CLAIMS)
    assert "this profile does not run SmallNet 16-d" in page
    assert "of one seed; it does not include the variation between seeds" in page


def test_a_second_run_does_nothing_and_says_so(finished):
    moment = time.time()
    result = run(finished)
    assert result.returncode == 0
    assert "nothing to be done" in (result.stdout + result.stderr).lower()
    assert changed_after(finished, moment) == []


def numbers(recorded):
    """Recorded rows without their seconds and processor hours, which differ from run to run."""
    timed = {"seconds", "processor_hours"}
    return [
        row | {"training": {k: v for k, v in (row["training"] or {}).items() if k not in timed}}
        for row in recorded
    ]


def test_a_killed_run_ends_in_the_same_numbers(finished, tmp_path):
    """Killed at once, with all its children, as soon as the first regressor is trained."""
    process = subprocess.Popen(
        [*COMMAND, str(tmp_path), "--", TARGET],
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 900
    while not list(tmp_path.rglob("regressors/*/weights.safetensors")) and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "smoke" / TARGET).exists()
    result = run(tmp_path, "--", TARGET)
    assert result.returncode == 0, result.stderr[-3000:]
    (name,) = rows(tmp_path)
    assert numbers(rows(tmp_path)[name]) == numbers(rows(finished)[name])


def test_failing_tables_leave_the_others_standing_and_are_made_once_mended(finished, tmp_path):
    outputs = tmp_path / "outputs"
    # Another test may run Snakemake on the same study, which writes these.
    busy = shutil.ignore_patterns("log", "locks", "incomplete", ".study.lock")
    shutil.copytree(finished, outputs, symlinks=True, ignore=busy)
    # One matching table stands on this one, and no other embedding does.
    (hourglass,) = (outputs / "smoke" / "embeddings").glob("hourglass-*-on-synthetic-68-*")
    weights = (hourglass / "weights.safetensors").read_bytes()
    (hourglass / "weights.safetensors").write_bytes(b"not weights")
    shutil.rmtree(outputs / "smoke" / "site")
    shutil.rmtree(outputs / "smoke" / "tables" / "ablation_exchange_matching")
    result = run(outputs)
    assert result.returncode != 0
    index = (outputs / "smoke" / "site" / "index.html").read_text()
    assert "weights.safetensors is damaged" in index
    assert "ablation_exchange_matching" in rows(outputs)
    assert (outputs / "smoke" / "site" / "tables" / "ablation_exchange_matching.html").exists()
    assert not (outputs / "smoke" / "site" / "tables" / "finetuned_matching_300w.html").exists()
    (hourglass / "weights.safetensors").write_bytes(weights)
    result = run(outputs)
    assert result.returncode == 0, result.stderr[-3000:]
    assert (outputs / "smoke" / "site" / "tables" / "finetuned_matching_300w.html").exists()
    before, after = rows(finished), rows(outputs)
    assert {n: numbers(r) for n, r in after.items()} == {n: numbers(r) for n, r in before.items()}


def test_two_runs_at_once_do_not_meet(tmp_path):
    (tmp_path / "smoke").mkdir()
    with FileLock(tmp_path / "smoke" / ".study.lock"):
        result = run(tmp_path)
    assert result.returncode == 2
    assert "another run of the smoke study is at work" in result.stderr


@pytest.mark.parametrize("name", ["limited_annotations", "landmarks"])
def test_a_notebook_alone_ends_in_the_same_numbers(name, finished, run_notebook):
    """By papermill alone, from an empty folder, all trainings included."""
    ((table, ours),) = rows(run_notebook(name)).items()
    assert ours and _errors(ours) == _errors(rows(finished)[table])


def _errors(table: list[dict]) -> list[dict]:
    return [row["ours"] for row in table]
