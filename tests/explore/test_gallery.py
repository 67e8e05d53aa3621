import pytest

from dvelib import StudyError
from dvelib.explore.explorer import Explorer
from dvelib.own.landmark_file import write_names
from tests.own.pictures import draw_folder


def test_pretrained_embeddings_are_the_default(gallery):
    assert gallery.pair() == ("SmallNet 64-d without exchange", "SmallNet 64-d with exchange")
    assert list(gallery.regressors) == ["SmallNet 64-d with exchange"]
    assert gallery.landmark_names[2] == "nose"
    assert "SmallNet 16-d with exchange" in gallery.summary() and not gallery.notes


def test_a_study_without_embeddings_shows_pretrained_ones_and_a_note(tmp_path):
    gallery = Explorer("smoke", outputs=tmp_path)
    assert len(gallery.embeddings) == 4
    assert "has no trained embedding yet" in gallery.summary()
    assert "make study PROFILE=smoke" in gallery.summary()


def test_own_pictures_need_no_landmarks(tmp_path):
    draw_folder(tmp_path / "things", 5)
    gallery = Explorer(images=tmp_path / "things")
    assert (len(gallery.faces), gallery.landmarks, gallery.landmark_names) == (5, None, ())
    assert "5 images" in gallery.summary()
    assert "dve annotate" in gallery.errors().still()
    assert "left eye" in gallery.keypoints().still()


def test_own_landmarks_have_the_names_of_their_file(tmp_path):
    folder = tmp_path / "things"
    draw_folder(folder, 3)
    lines = ["file,x0,y0,x1,y1", *(f"p0{i}.png,10,10,20,20" for i in range(3))]
    (folder / "landmarks.csv").write_text("\n".join(lines))
    write_names(folder, ["ear", "tail"])
    gallery = Explorer(images=folder)
    assert gallery.landmark_names == ("ear", "tail")
    assert not gallery.regressors  # five landmarks do not fit two
    assert "No landmark regressor matches" in gallery.keypoints().still()


def test_the_middle_is_shown_first_if_only_one_face_has_landmarks(tmp_path):
    folder = tmp_path / "things"
    draw_folder(folder, 3)
    (folder / "landmarks.csv").write_text("file,x0,y0\np00.png,10,10\n")
    frame = Explorer(images=folder).matches(3).frame.value
    assert "&#34;start&#34;: {&#34;face&#34;: 0, &#34;x&#34;: 25.0, &#34;y&#34;: 25.0}" in frame
    assert "[null]" in frame  # the place of a landmark that is not annotated


def test_only_chosen_embeddings_are_shown():
    gallery = Explorer(embeddings=["smallnet-16d-plain", "smallnet-16d-plain"], drawn=3)
    assert list(gallery.embeddings) == [
        "SmallNet 16-d without exchange",
        "SmallNet 16-d without exchange (2)",
    ]


def test_missing_folders_are_study_errors(tmp_path):
    with pytest.raises(StudyError, match="holds no finished embedding"):
        Explorer(embeddings=[tmp_path])
    with pytest.raises(StudyError, match="there is no folder"):
        Explorer(images=tmp_path / "nothing")


def test_watchers_are_notified_of_new_embeddings():
    gallery, seen = Explorer(embeddings=["smallnet-16d-plain"], drawn=3), []
    gallery.watch(seen.append)
    other = Explorer(embeddings=["smallnet-16d-exchange"], drawn=3).embeddings.popitem()[1]
    label = gallery.offer(other)
    assert gallery.offer(other) == label
    assert seen == [label, label] and label in gallery.embeddings


def test_names_of_files_and_landmarks_are_escaped(tmp_path):
    folder = tmp_path / "things"
    draw_folder(folder, 3)
    lines = ["file," + ",".join(f"x{k},y{k}" for k in range(5))]
    for k in range(3):
        (folder / f"p0{k}.png").rename(folder / f"<b>{k}.png")
        lines.append(f"<b>{k}.png," + ",".join(f"{20 + 7 * j},{20 + 5 * j}" for j in range(5)))
    (folder / "landmarks.csv").write_text("\n".join(lines))
    write_names(folder, ["<i>", "b", "c", "d", "e"])
    gallery = Explorer(images=folder)
    assert "&lt;b&gt;" in gallery.errors().status_line.value
    assert "&lt;i&gt;" in gallery.keypoints().status_line.value
    for text in (gallery.errors().still(), gallery.keypoints().still(), gallery.matches().still()):
        assert "<b>" not in text and "<i>" not in text
