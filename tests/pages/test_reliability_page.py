"""The page on reliability shows the recorded numbers, and a damaged record is named."""

import pytest
from bs4 import BeautifulSoup

from dvelib import StudyError
from dvelib.pages.reliability_page import reliability_page
from tests.record_reliability import record


@pytest.fixture
def recorded(tmp_path):
    path = tmp_path / "reliability.json"
    readers = {"celeba": {"inputs": 1200, "escapes": 0}, "<b>": {"inputs": 30, "escapes": 2}}
    record(path, "fuzz", {"readers": readers})
    record(path, "torture", {"disturbances": {"SIGKILL": {"times": 50, "faults": 1}}})
    return path


def test_every_recorded_number_is_shown(recorded):
    page = BeautifulSoup(str(reliability_page(recorded)), "html.parser")
    tables = [
        [[cell.text.strip() for cell in row("th") + row("td")] for row in table.tbody("tr")]
        for table in page("table")
    ]
    assert tables == [
        [["celeba", "1200", "0"], ["<b>", "30", "2"], ["all", "1230", "2"]],
        [["SIGKILL", "50", "1"], ["all", "50", "1"]],
    ]
    assert [h.text for h in page("h2")] == [
        "Damaged and hostile files",
        "Killed, starved and damaged studies",
    ]


def test_a_part_that_was_not_measured_is_left_out(tmp_path):
    record(tmp_path / "a.json", "torture", {"disturbances": {"SIGTERM": {"times": 1, "faults": 0}}})
    assert len(BeautifulSoup(str(reliability_page(tmp_path / "a.json")), "html.parser")("h2")) == 1


@pytest.mark.parametrize("text", ["", '{"fuzz": {}}', '{"torture": 3}'])
def test_a_damaged_record_is_named(tmp_path, text):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(StudyError, match="a.json .*: measure again"):
        reliability_page(tmp_path / "a.json")
