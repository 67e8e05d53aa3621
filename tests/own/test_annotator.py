"""Setting landmarks by clicks, without a browser: the state, then the widget's own events."""

import json
import sys

import numpy as np
import pytest
from PIL import Image

from dvelib import StudyError
from dvelib.cli import main
from dvelib.own.annotator import Annotator, as_names
from tests.own.pictures import draw_folder


@pytest.fixture
def folder(tmp_path):
    draw_folder(tmp_path / "things", 9)
    return tmp_path / "things"


def lines(folder):
    return (folder / "landmarks.csv").read_text().splitlines()[1:]


def test_suggestions_come_first_evenly_spaced_then_the_labelled(folder):
    (folder / "landmarks.csv").write_text("file,x0,y0\np08.png,1,2\n")
    annotator = Annotator(folder, suggest=3)
    numbers = [int(name[1:3]) for name in annotator.order]
    assert numbers == [0, 3, 6, 8, 1, 2, 4, 5, 7]
    assert annotator.progress_text() == "1 of 3 suggested pictures, 1 annotated so far: p00.png"
    annotator.show(3)
    assert annotator.progress_text() == "1 of 6 other pictures, 1 annotated so far: p08.png"


def test_clicks_are_saved_one_by_one_and_the_next_landmark_follows(folder):
    annotator = Annotator(folder, 3, suggest=3)
    assert (annotator.name, annotator.landmark) == ("p00.png", 0)
    assert not (folder / "landmarks.csv").exists()
    annotator.place(10.25, 20)
    assert lines(folder) == ["p00.png,train,10.25,20.00,,,,"]
    annotator.place(30, 40)
    annotator.place(50, 60)
    assert lines(folder) == ["p00.png,train,10.25,20.00,30.00,40.00,50.00,60.00"]
    assert annotator.landmark is None
    assert annotator.click_text().startswith("All landmarks are set.")
    with pytest.raises(StudyError, match="all landmarks are set: select one to move"):
        annotator.place(0, 0)
    annotator.choose(1)
    assert annotator.click_text() == "Click to move landmark 1."
    annotator.place(31, 41)
    np.testing.assert_array_equal(annotator.points, [[10.25, 20], [31, 41], [50, 60]])
    assert annotator.landmark is None


def test_what_cannot_be_seen_stays_empty(folder):
    annotator = Annotator(folder, 2)
    annotator.hide()
    assert annotator.landmark == 1
    annotator.place(5, 6)
    assert lines(folder) == ["p00.png,train,,,5.00,6.00"]
    annotator.choose(1)
    annotator.hide()
    assert lines(folder) == ["p00.png,train,,,,"]


def test_opening_again_goes_on(folder):
    annotator = Annotator(folder, ["tip", "tail"], suggest=3)
    annotator.place(1, 2)
    annotator.place(3, 4)
    annotator.step(1)
    annotator.hide()
    annotator.hide()
    again = Annotator(folder, suggest=3)
    assert again.names == ("tip", "tail")
    assert again.name == "p06.png"
    again.place(5, 5)
    assert [line.split(",")[0] for line in lines(folder)] == ["p00.png", "p03.png", "p06.png"]
    assert Annotator(folder, 3).names == ("tip", "tail", "landmark 2")


def test_steps_stay_within_the_pictures_and_go_round_the_landmarks(folder):
    annotator = Annotator(folder, 3)
    annotator.step(-1)
    assert annotator.picture == 0
    annotator.step(99)
    assert annotator.picture == 8
    annotator.step_landmark(-1)
    assert annotator.landmark == 2
    annotator.step_landmark(1)
    assert annotator.landmark == 0
    annotator.choose(None)
    annotator.step_landmark(-1)
    assert annotator.landmark == 2


def test_undo_takes_everything_back_and_goes_to_where_it_was(folder):
    annotator = Annotator(folder, 2, suggest=9)
    annotator.place(1, 1)
    annotator.step(1)
    annotator.place(2, 2)
    annotator.keep_for_test(True)
    annotator.step(3)
    annotator.undo()
    assert (annotator.name, annotator.landmark, annotator.is_test) == ("p01.png", 1, False)
    annotator.undo()
    assert (annotator.name, annotator.landmark) == ("p01.png", 0)
    assert lines(folder) == ["p00.png,train,1.00,1.00,,"]
    annotator.undo()
    annotator.undo()
    assert (annotator.name, lines(folder)) == ("p00.png", [])


def test_pictures_kept_for_testing_say_so(folder):
    annotator = Annotator(folder, 1)
    annotator.place(4, 4)
    annotator.keep_for_test(True)
    assert lines(folder) == ["p00.png,test,4.00,4.00"]
    assert annotator.is_test


def test_a_picture_is_shown_as_stored(folder):
    annotator = Annotator(folder, 1)
    assert annotator.image().shape == (60, 80, 3)
    (folder / annotator.name).write_bytes(b"nothing")
    assert annotator.image() is None


@pytest.mark.parametrize(
    ("landmarks", "expected"),
    [
        (None, (None, ())),
        (5, (5, ())),
        ("5", (5, ())),
        ("tip", (1, ("tip",))),
        ("left eye, nose", (2, ("left eye", "nose"))),
        (["a", "b"], (2, ("a", "b"))),
    ],
)
def test_landmarks_are_a_number_or_names(landmarks, expected):
    assert as_names(landmarks) == expected


@pytest.mark.parametrize("landmarks", [0, "-3", "a,,b", "a,a", [], ""])
def test_other_landmarks_are_refused(landmarks):
    with pytest.raises(StudyError, match="landmark"):
        as_names(landmarks)


widget_parts = pytest.importorskip("ipympl")


@pytest.fixture
def widget(folder):
    from dvelib.own.widget import AnnotatorWidget

    return AnnotatorWidget(Annotator(folder, ["tip", "tail"], suggest=3))


def click(widget, x, y, button=1):
    """Press a mouse button over a place of the picture, as the browser reports it."""
    from matplotlib.backend_bases import MouseEvent

    widget.canvas.draw()
    at = widget.axis.transData.transform((x, y))
    event = MouseEvent("button_press_event", widget.canvas, *at, button)
    widget.canvas.callbacks.process("button_press_event", event)


def test_a_click_lands_on_the_pixel_it_meant(widget, folder):
    click(widget, 12.5, 33.25)
    click(widget, 79, 0)
    assert lines(folder) == ["p00.png,train,12.50,33.25,79.00,0.00"]
    assert widget.what.value.startswith("All landmarks are set.")
    assert [text for text, _ in widget.list.options] == ["● tip", "● tail"]
    click(widget, 5, 5)
    assert widget.what.value == (
        "all landmarks are set: select one to move, or go to the next picture"
    )
    assert lines(folder) == ["p00.png,train,12.50,33.25,79.00,0.00"]


def test_only_the_left_button_on_the_picture_sets_a_landmark(widget, folder):
    click(widget, 5, 5, button=3)
    click(widget, 200, 5)
    widget.canvas.toolbar.pan()
    click(widget, 5, 5)
    assert not (folder / "landmarks.csv").exists()
    widget.canvas.toolbar.pan()
    click(widget, 5, 5)
    assert len(lines(folder)) == 1


def test_every_button_does_what_it_says(widget, folder):
    def press(name):
        widget.buttons[name].click()

    press("next landmark")
    assert widget.list.value == 1
    press("previous landmark")
    click(widget, 5, 5)
    press("not visible")
    assert lines(folder) == ["p00.png,train,5.00,5.00,,"]
    press("next picture")
    assert "p03.png" in widget.where.value
    press("previous picture")
    assert "p00.png" in widget.where.value
    press("undo")
    press("undo")
    assert (widget.list.value, lines(folder)) == (0, [])
    assert widget.what.value == "Click to set tip."


def test_the_list_and_the_box_work_too(widget, folder):
    widget.list.value = 1
    click(widget, 7, 8)
    widget.test.value = True
    assert lines(folder) == ["p00.png,test,,,7.00,8.00"]
    widget.buttons["next picture"].click()
    assert widget.test.value is False
    assert lines(folder) == ["p00.png,test,,,7.00,8.00"]


def test_marks_are_drawn_where_the_landmarks_are(widget):
    click(widget, 12, 30)
    [dot, text] = widget._marks
    np.testing.assert_allclose(dot.get_offsets(), [[12, 30]])
    assert text.get_text() == "tip"
    widget.buttons["next picture"].click()
    assert widget._marks == []


def test_a_large_picture_is_drawn_small_and_clicked_in_full(folder):
    from dvelib.own.widget import AnnotatorWidget

    Image.new("RGB", (3000, 1500)).save(folder / "p00.png")
    widget = AnnotatorWidget(Annotator(folder, 1))
    assert widget.axis.images[0].get_array().shape == (600, 1200, 3)
    click(widget, 2998.5, 1402)
    assert lines(folder) == ["p00.png,train,2998.50,1402.00"]


def test_a_broken_picture_is_reported_and_ignores_clicks(folder):
    from dvelib.own.widget import AnnotatorWidget

    (folder / "p00.png").write_bytes(b"nothing")
    widget = AnnotatorWidget(Annotator(folder, 1))
    assert widget.what.value == "This file cannot be read as a picture."
    click(widget, 0.5, 0.5)
    assert not (folder / "landmarks.csv").exists()


def test_a_changed_file_is_reported_above_the_picture(widget, folder):
    (folder / "landmarks.csv").write_text("file,x0,y0\np01.png,1,2\n")
    click(widget, 5, 5)
    assert "another program has changed" in widget.what.value
    assert lines(folder) == ["p01.png,1,2"]


def test_the_command_leaves_a_notebook_and_opens_it(folder, monkeypatch, capsys):
    opened = []
    monkeypatch.setattr("os.execv", lambda *arguments: opened.append(arguments))
    arguments = ["annotate", "--images", str(folder), "--pictures", "4"]
    assert main([*arguments, "--landmarks", "tip,tail"]) == 0
    path = folder / "annotate.ipynb"
    assert opened == [(sys.executable, [sys.executable, "-m", "jupyterlab", str(path)])]
    cells = ["".join(c["source"]) for c in json.loads(path.read_text())["cells"]]
    [filled] = [c for c in cells if c.startswith("# Parameters")]
    expected = {"folder": str(folder), "landmarks": ["tip", "tail"], "pictures": 4, "fit": None}
    found = {}
    exec(filled, found)
    assert {key: found[key] for key in expected} == expected
    assert main([*arguments, "--landmarks", "2"]) == 0  # ours can be written again
    path.write_text("{}")
    assert main([*arguments, "--landmarks", "2"]) == 2
    assert "exists and dve annotate did not write it: move it away" in capsys.readouterr().err
    assert len(opened) == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "has no landmarks.csv yet: give the number of landmarks"),
        (["--landmarks", "0"], "there must be at least 1 landmark, got 0"),
        (["--landmarks", "a,a"], "landmarks must be a number, or different names separated"),
    ],
)
def test_errors_of_the_command_are_one_sentence(folder, options, message, capsys):
    assert main(["annotate", "--images", str(folder), *options]) == 2
    found = capsys.readouterr().err
    assert message in found and found.count("\n") == 1
    assert not (folder / "annotate.ipynb").exists()


def test_without_jupyterlab_the_command_says_what_to_install(folder, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "jupyterlab", None)
    assert main(["annotate", "--images", str(folder), "--landmarks", "2"]) == 2
    assert "dve annotate needs jupyterlab: pip install" in capsys.readouterr().err


def test_the_notebook_runs_without_a_browser(run_notebook):
    page = run_notebook("annotate") / "page.ipynb"
    assert "application/vnd.jupyter.widget-view+json" in page.read_text()
