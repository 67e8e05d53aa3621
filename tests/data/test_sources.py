"""Pictures from a folder, from files and from a video."""

import sys

import numpy as np
import pytest
from PIL import Image

from dvelib import StudyError
from dvelib.data.sources import pictures_folder

LEVELS = [20, 60, 100, 140, 180, 220]  # grey levels of the frames of a film


@pytest.fixture
def film(tmp_path):
    av = pytest.importorskip("av")
    path = tmp_path / "film.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for level in LEVELS:
            picture = np.full((48, 64, 3), level, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return path


def pictures(folder):
    return sorted(path.name for path in folder.glob("*.jpg"))


def refusal(*arguments):
    with pytest.raises(StudyError) as caught:
        pictures_folder(*arguments, say=lambda text: None)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_folder_is_itself(tmp_path):
    assert pictures_folder(tmp_path) == pictures_folder([tmp_path]) == tmp_path


def test_frames_of_a_video_are_named_by_their_number(film):
    said = []
    folder = pictures_folder(film, say=said.append)
    assert folder == film.with_name("film-frames")
    assert said == [f"6 frames of film.mp4, in {folder}"]
    assert pictures(folder) == [f"frame-{k:06d}.jpg" for k in range(6)]
    for name, level in zip(pictures(folder), LEVELS, strict=True):
        with Image.open(folder / name) as image:
            assert image.size == (64, 48)
            assert abs(np.asarray(image).mean() - level) < 4


def test_every_second_frame_and_the_same_folder_again(film):
    folder = pictures_folder([film], 2, say=lambda text: None)
    assert folder.name == "film-every-2-frames"
    assert pictures(folder) == ["frame-000000.jpg", "frame-000002.jpg", "frame-000004.jpg"]
    (folder / "landmarks.csv").write_text("file,x0,y0\n")
    assert pictures_folder(film, 2, say=lambda text: None) == folder
    assert (folder / "landmarks.csv").exists()
    film.write_bytes(film.read_bytes() + b"0")
    assert "was not made from film.mp4 as it is" in refusal(film, 2)


def test_a_broken_video_leaves_nothing(tmp_path):
    pytest.importorskip("av")
    (tmp_path / "film.mp4").write_bytes(b"nothing")
    assert "film.mp4 cannot be read as a video" in refusal(tmp_path / "film.mp4")
    assert [path.name for path in tmp_path.iterdir()] == ["film.mp4"]


def test_the_missing_package_is_named(film, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    assert refusal(film) == "reading film.mp4 needs av: pip install 'dvelib[video]'"


def test_files_are_linked_into_a_folder(tmp_path):
    (tmp_path / "things").mkdir()
    files = [tmp_path / "things" / f"{name}.png" for name in "abc"]
    for file in files:
        Image.new("RGB", (4, 4)).save(file)
    folder = pictures_folder(files[:2], say=lambda text: None)
    assert folder.parent == tmp_path and folder.name.startswith("things-2-pictures-")
    assert sorted(path.name for path in folder.glob("*.png")) == ["a.png", "b.png"]
    assert pictures_folder(files[1::-1], say=lambda text: None) == folder


def test_what_is_no_picture_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("")
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png")
    (tmp_path / "deep").mkdir()
    Image.new("RGB", (4, 4)).save(tmp_path / "deep" / "a.png")
    assert "notes.txt is not a picture" in refusal([tmp_path / "notes.txt"])
    assert "is not a picture" in refusal([tmp_path / "a.png", tmp_path / "deep"])
    assert "two of the files are named a.png" in refusal(
        [tmp_path / "a.png", tmp_path / "deep" / "a.png"]
    )
    assert "there is no video" in refusal(tmp_path / "gone.mov")
    assert "--every must be at least 1" in refusal(tmp_path, 0)
    assert "--every 2 is for a video" in refusal(tmp_path, 2)
