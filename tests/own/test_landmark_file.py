"""What a person wrote in landmarks.csv stays; what is written can be read."""

import numpy as np
import pytest

from dvelib import StudyError
from dvelib.data import open_dataset
from dvelib.own.landmark_file import (
    LandmarkFile,
    pictures_in,
    read_names,
    read_predictions,
    write_landmarks,
    write_names,
)
from tests.own.pictures import draw_folder

OTHERS = "file,identity,split,x0,y0,x1,y1\np01.png,NA,test,1,2.50000,,\np03.png,bob,train,3,4,5,6\n"


@pytest.fixture
def folder(tmp_path):
    draw_folder(tmp_path / "things", 6)
    return tmp_path / "things"


def text(folder):
    return (folder / "landmarks.csv").read_text()


def test_all_pictures_are_found_whatever_their_split(folder):
    names = tuple(f"p{i:02}.png" for i in range(6))
    assert pictures_in(folder) == names
    (folder / "landmarks.csv").write_text(OTHERS)
    assert pictures_in(folder) == names
    everything = "".join(f"{name},test,1,2\n" for name in names)
    (folder / "landmarks.csv").write_text("file,split,x0,y0\n" + everything)
    assert pictures_in(folder) == names


def test_a_new_file_is_what_the_folder_dataset_reads(folder):
    file = LandmarkFile(folder, 2)
    file.set_point("p02.png", 1, (12.25, 6))
    file.set_point("p00.png", 0, (1, 2))
    assert text(folder) == (
        "file,split,x0,y0,x1,y1\np02.png,train,,,12.25,6.00\np00.png,train,1.00,2.00,,\n"
    )
    faces = open_dataset("folder", folder, "train", size=60)
    np.testing.assert_array_equal(np.isnan(faces.landmarks[0, :, 0]), [False, True])
    again = LandmarkFile(folder)
    assert again.count == 2
    np.testing.assert_allclose(again.points("p02.png"), [[np.nan, np.nan], [12.25, 6]])


def test_existing_cells_keep_their_text(folder):
    (folder / "landmarks.csv").write_text(OTHERS)
    file = LandmarkFile(folder)
    file.set_point("p03.png", 1, (9, 8))
    file.set_point("p04.png", 0, (7, 7))
    assert text(folder) == OTHERS.replace(",5,6\n", ",9.00,8.00\n") + "p04.png,,train,7.00,7.00,,\n"
    file.set_point("p03.png", 1, None)
    assert "p03.png,bob,train,3,4,,\n" in text(folder)


def test_pictures_can_be_kept_for_testing(folder):
    (folder / "landmarks.csv").write_text("file,x0,y0\np00.png,1,2\np01.png,3,4\n")
    file = LandmarkFile(folder)
    assert not file.is_test("p01.png")
    file.set_test("p01.png", True)
    assert text(folder) == "file,split,x0,y0\np00.png,train,1,2\np01.png,test,3,4\n"
    assert file.is_test("p01.png") and open_dataset("folder", folder, "test", size=60).files


def test_a_row_can_be_put_back(folder):
    (folder / "landmarks.csv").write_text(OTHERS)
    file = LandmarkFile(folder)
    before, nothing = file.row("p03.png"), file.row("p00.png")
    assert nothing is None
    file.set_point("p03.png", 0, (0, 0))
    file.set_point("p00.png", 0, (0, 0))
    file.restore("p00.png", nothing)
    file.restore("p03.png", before)
    assert text(folder) == OTHERS


def test_landmarks_can_be_added_but_not_removed(folder):
    (folder / "landmarks.csv").write_text(OTHERS)
    file = LandmarkFile(folder, 3)
    file.set_point("p03.png", 2, (1, 1))
    assert text(folder).splitlines()[::2] == [
        "file,identity,split,x0,y0,x1,y1,x2,y2",
        "p03.png,bob,train,3,4,5,6,1.00,1.00",
    ]
    with pytest.raises(StudyError, match="has 3 landmarks, but 2 were requested: request 3 or"):
        LandmarkFile(folder, 2)


def test_a_file_changed_by_another_program_is_not_overwritten(folder):
    file = LandmarkFile(folder, 2)
    (folder / "landmarks.csv").write_text(OTHERS)
    with pytest.raises(StudyError, match="another program has changed .*, so nothing was saved"):
        file.set_point("p00.png", 0, (1, 1))
    assert text(folder) == OTHERS
    assert "p00.png" not in file


def test_a_write_that_fails_leaves_the_old_file(folder, monkeypatch):
    (folder / "landmarks.csv").write_text(OTHERS)
    file = LandmarkFile(folder)
    monkeypatch.setattr("csv.DictWriter.writerows", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        file.set_point("p03.png", 0, (1, 1))
    assert text(folder) == OTHERS
    assert sorted(p.name for p in folder.glob(".*")) == []


def test_missing_and_bad_files_are_study_errors(folder, tmp_path):
    with pytest.raises(StudyError, match="there is no folder .*nowhere: name the folder"):
        LandmarkFile(tmp_path / "nowhere", 2)
    with pytest.raises(StudyError, match="has no landmarks.csv yet: give the number of landmarks"):
        LandmarkFile(folder)
    (folder / "landmarks.csv").write_text("file,x0,y0\nother.png,1,2\n")
    with pytest.raises(StudyError, match="it names other.png, but the folder has no such"):
        LandmarkFile(folder)
    (tmp_path / "empty").mkdir()
    with pytest.raises(StudyError, match="holds no pictures"):
        LandmarkFile(tmp_path / "empty", 1)


POINTS = np.array([[[1.234, 2], [np.nan, np.nan]], [[3, 4], [5, -6.5]]])


@pytest.mark.parametrize("doubt", [None, [0.5, 12.0]])
def test_predictions_are_read_as_they_were_written(folder, doubt):
    write_landmarks(folder / "predictions.csv", ["p00.png", "p05.png"], POINTS, doubt)
    found = read_predictions(folder, 2)
    np.testing.assert_allclose(found.points["p05.png"], POINTS[1])
    np.testing.assert_allclose(found.points["p00.png"], POINTS[0], atol=0.005)
    assert list(found.doubt.values()) == (doubt or [])
    assert read_predictions(folder, 3).points == {}


def test_predictions_among_the_landmarks_are_no_annotations(folder):
    write_landmarks(folder / "landmarks.csv", ["p00.png", "p05.png"], POINTS)
    assert np.isnan(open_dataset("folder", folder, "train", size=60).landmarks).all()
    file = LandmarkFile(folder)
    assert file.annotated() == () and np.isnan(file.points("p05.png")).all()
    np.testing.assert_array_equal(read_predictions(folder, 2).points["p05.png"], POINTS[1])
    file.set_point("p05.png", 1, (7, 8))
    assert text(folder).splitlines()[-1] == "p05.png,person,,,7.00,8.00"
    assert LandmarkFile(folder).annotated() == ("p05.png",)


def test_predictions_of_other_landmarks_are_set_aside(folder):
    write_landmarks(folder / "landmarks.csv", ["p00.png", "p05.png"], POINTS)
    held = text(folder)
    file = LandmarkFile(folder, 1)
    assert (folder / "predictions.csv").read_text() == held
    file.set_point("p05.png", 0, (7, 8))
    assert text(folder) == "file,split,x0,y0\np05.png,train,7.00,8.00\n"
    write_landmarks(folder / "landmarks.csv", ["p00.png", "p05.png"], POINTS)
    with pytest.raises(StudyError, match="both hold predictions and no annotations: delete one"):
        LandmarkFile(folder, 3)


def test_names_are_kept_in_a_file_beside(folder):
    assert read_names(folder, 2) == ("landmark 0", "landmark 1")
    write_names(folder, ["tip", "été"])
    assert read_names(folder, 3) == ("tip", "été", "landmark 2")
    assert read_names(folder, 1) == ("tip",)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"names": 3}'])
def test_damaged_names_are_study_errors(folder, content):
    (folder / "landmarks.json").write_text(content)
    with pytest.raises(StudyError, match="correct or delete it"):
        read_names(folder, 2)
