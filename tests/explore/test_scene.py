import numpy as np
import pytest
import torch

from dvelib import StudyError
from dvelib.data import open_dataset
from dvelib.explore.scene import Scene
from dvelib.matching import match_full_resolution, upsample_descriptors


@pytest.fixture(scope="module")
def scene(gallery):
    return gallery.scene(6)


def test_a_point_is_most_similar_to_itself(scene):
    for label in scene.embeddings:
        look = scene.look(label, 2, (13, 31), 0)
        assert look.best[2].tolist() == [13, 31]
        assert look.similarity.shape == (6, 50, 50)
        assert look.similarity[2, 31, 13] == pytest.approx(1, abs=1e-4)


def test_matches_follow_the_full_resolution_protocol(scene):
    label = next(iter(scene.embeddings))
    maps = scene.embeddings[label](scene.images)
    points = torch.tensor([[[20.0, 14.0], [8.0, 40.0]]]).expand(6, -1, -1)
    wanted = match_full_resolution(maps[:1].expand(6, -1, -1, -1), maps, points, stride=2)
    for k, point in enumerate(points[0]):
        look = scene.look(label, 0, tuple(point.tolist()), 1)
        assert (look.best == wanted[:, k].numpy()).all()


def test_the_rebuilt_query_follows_the_formula_of_the_loss(scene):
    label = next(iter(scene.embeddings))
    maps = scene.maps(label)
    query, cells = maps[0, :, 10, 7].double(), maps[3].flatten(1).double()
    rebuilt = (cells * (query @ cells).softmax(0)).sum(1)
    dense = upsample_descriptors(maps, 2).double()
    similarity = torch.einsum("d,ndhw->nhw", rebuilt, dense / dense.norm(dim=1, keepdim=True))
    best = similarity.flatten(1).argmax(1)
    found = scene.look(label, 0, (14, 20), 3).exchanged
    assert (found == torch.stack([best % 50, best // 50], 1).numpy()).all()


def test_errors_of_landmarks_are_those_of_single_matches(scene):
    label = next(iter(scene.embeddings))
    errors = scene.landmark_errors(label)
    assert errors.shape == (6, 5, 6)
    look = scene.look(label, 4, tuple(scene.landmarks[4, 2]), 0)
    alone = np.linalg.norm(look.best - scene.landmarks[:, 2], axis=1) * 70 / 50
    alone[4] = np.nan
    np.testing.assert_allclose(errors[4, 2], alone, rtol=1e-5)


def test_the_typical_question_is_near_the_median(scene, gallery):
    labels = gallery.pair()
    face, landmark = scene.typical_question(*labels)
    gaps = [np.nanmean(scene.landmark_errors(label), axis=2) for label in labels]
    gap = gaps[0] - gaps[1]
    share = (gap < gap[face, landmark]).mean()
    assert 0.3 < share < 0.7


def test_errors_are_smaller_with_exchange(gallery):
    """The effect that the explorer is there to show, on the faces it begins with."""
    scene = gallery.scene(12)
    without, with_ = (np.nanmean(scene.landmark_errors(label)) for label in gallery.pair())
    assert with_ < 0.8 * without


def test_colours_are_in_range_and_differ_over_a_face(scene):
    colours = scene.colours(next(iter(scene.embeddings)))
    assert colours.shape == (6, 50, 50, 3)
    assert colours.min() >= 0 and colours.max() <= 1 and colours.std() > 0.05


def test_a_scene_beyond_the_end_shows_the_last_faces(gallery):
    assert gallery.scene(5, first=100).first == 7
    assert len(gallery.scene(50).images) == 12


def test_faces_of_another_size_are_refused(gallery):
    faces = open_dataset("synthetic", None, "test", size=40, crop=4, limit=2)
    with pytest.raises(StudyError, match="was trained on 70-pixel images cropped by 10"):
        Scene(gallery.embeddings, faces)


def test_one_face_is_too_few(gallery):
    faces = open_dataset("synthetic", None, "test", size=70, crop=10, limit=1)
    with pytest.raises(StudyError, match="has 1 picture.s.: the explorer needs at least two"):
        Scene(gallery.embeddings, faces)
