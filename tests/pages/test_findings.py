import shutil

import pandas as pd
import pytest

from dvelib.common.errors import StudyError
from dvelib.pages.findings import PUBLISHED, findings, write_findings
from dvelib.pages.findings_of_study import ACROSS


@pytest.fixture
def published(tmp_path):
    """A copy of the published numbers, to be changed."""
    shutil.copytree(PUBLISHED / "faces", tmp_path / "faces")
    (tmp_path / "campaign").mkdir()
    shutil.copy(PUBLISHED / "campaign" / "matching.csv", tmp_path / "campaign")
    return tmp_path


def test_the_page_says_what_the_published_results_say(tmp_path):
    written = write_findings(tmp_path).read_text()
    assert written == (PUBLISHED / "findings" / "findings.md").read_text()
    for finding in findings():
        assert f"]({finding.name}.png)" in written
        assert (PUBLISHED / "findings" / f"{finding.name}.png").exists()


def test_sentences_follow_the_sign_of_an_effect(published):
    path = published / "faces" / "results.csv"
    rows = pd.read_csv(path)
    chosen = (rows.kind == "effect") & (rows.compares == "exchange") & (rows.measure == ACROSS)
    rows.loc[chosen, ["value", "low", "high"]] = [-1.0, -2.0, -0.5]
    rows.to_csv(path, index=False)
    title = next(f.title for f in findings("faces", published) if f.name == "dimensions")
    assert title == "Across identities exchange raises the error at 3-d, 16-d and 64-d"


def test_without_the_long_training_its_findings_are_left_out(published):
    before = {finding.name for finding in findings("faces", published)}
    shutil.rmtree(published / "campaign")
    after = {finding.name for finding in findings("faces", published)}
    assert before - after == {"training_pays", "recipes", "averaging"}


def test_a_study_that_was_not_published_is_named():
    with pytest.raises(StudyError, match="the study paper has no published results"):
        findings("paper")
