"""The drawn faces: reproducible, with ground truth that is exact and appearance that varies."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from dvelib.data import open_dataset, synthetic_dataset
from dvelib.data.synthetic import (
    canonical_landmarks,
    canonical_to_pixel,
    five_landmarks,
    pixel_to_canonical,
    render_faces,
)

SIZE = 40
JAW = 17  # the first 17 landmarks lie on the head's outline, where the ground truth ends


@pytest.fixture(scope="module")
def crowd():
    """40 identities in 3 variants each."""
    identities = torch.arange(40).repeat_interleave(3)
    return render_faces(identities, torch.arange(3).repeat(40), size=SIZE, chunk=32)


def template(count):
    return canonical_landmarks().expand(count, -1, -1)


def assert_same(a, b):
    assert torch.equal(a.images, b.images)
    assert torch.equal(a.canonical.nan_to_num(9.0), b.canonical.nan_to_num(9.0))
    assert torch.equal(a.landmarks, b.landmarks)
    assert torch.equal(a.identity, b.identity)


def test_shapes_and_types(crowd):
    assert crowd.images.shape == (120, 3, SIZE, SIZE)
    assert crowd.images.dtype == torch.uint8
    assert crowd.canonical.shape == (120, SIZE, SIZE, 2)
    assert crowd.canonical.dtype == torch.float32
    assert crowd.landmarks.shape == (120, 68, 2)
    assert crowd.landmarks.dtype == torch.float32
    assert crowd.identity.dtype == torch.int64
    assert crowd.identity.tolist() == torch.arange(40).repeat_interleave(3).tolist()


def test_an_empty_batch_keeps_its_shapes():
    none = torch.zeros(0, dtype=torch.long)
    faces = render_faces(none, none, size=20)
    assert faces.images.shape == (0, 3, 20, 20)
    assert faces.landmarks.shape == (0, 68, 2)


@pytest.mark.parametrize("chunk", [1, 3])
def test_a_face_does_not_depend_on_its_batch(chunk):
    identities, variants = torch.tensor([7, 2, 7, 30, 11]), torch.tensor([0, 5, 1, 2, 2])
    together = render_faces(identities, variants, size=SIZE)
    order = torch.tensor([4, 0, 3, 2, 1])
    again = render_faces(identities[order], variants[order], size=SIZE, chunk=chunk)
    back = order.argsort()
    again = type(again)(
        again.images[back], again.canonical[back], again.landmarks[back], again.identity[back]
    )
    assert_same(together, again)


def test_the_seed_changes_every_face():
    ids = torch.arange(6)
    first = render_faces(ids, ids, size=SIZE, seed=1).images.float()
    second = render_faces(ids, ids, size=SIZE, seed=2).images.float()
    assert ((first - second).abs().mean((1, 2, 3)) > 5).all()


def test_map_and_inverse_agree_for_many_faces():
    ids = torch.arange(400)
    pixels = canonical_to_pixel(template(400), ids, ids % 7, size=70)
    back = pixel_to_canonical(pixels.double(), ids, ids % 7, size=70)
    # One pixel is about 0.03 canonical units: this is a thousandth of a pixel.
    assert (back - template(400)).abs().max() < 3e-5


def test_the_map_never_folds():
    ids = torch.arange(150)
    line = torch.arange(0.0, 64.0)
    grid = torch.stack(torch.meshgrid(line, line, indexing="xy"), -1)
    flat = grid.view(1, -1, 2).expand(150, -1, -1)
    canonical = pixel_to_canonical(flat, ids, ids, size=64).view(150, 64, 64, 2)
    across = (canonical[:, :-1, 1:] - canonical[:, :-1, :-1]).double()
    down = (canonical[:, 1:, :-1] - canonical[:, :-1, :-1]).double()
    area = across[..., 0] * down[..., 1] - across[..., 1] * down[..., 0]
    assert (area > 0).all()


def test_canonical_sampled_at_the_landmarks_is_the_template(crowd):
    where = crowd.landmarks[:, JAW:] / (SIZE - 1) * 2 - 1
    sampled = F.grid_sample(
        crowd.canonical.permute(0, 3, 1, 2), where[:, None], align_corners=True
    )[:, :, 0].permute(0, 2, 1)
    seen = ~sampled.isnan().any(-1)
    assert seen.float().mean() > 0.75
    error = (sampled - template(120)[:, JAW:])[seen].norm(dim=-1)
    pixel = 2.2 / SIZE
    assert error.median() < 0.02 * pixel
    assert error.max() < 0.5 * pixel


def test_canonical_is_exact_at_pixel_centres(crowd):
    line = torch.arange(SIZE, dtype=torch.float64)
    grid = torch.stack(torch.meshgrid(line, line, indexing="xy"), -1).view(1, -1, 2)
    variants = torch.arange(3).repeat(40)
    exact = pixel_to_canonical(grid.expand(120, -1, -1), crowd.identity, variants, size=SIZE)
    shown = crowd.canonical.view(120, -1, 2)
    seen = ~shown.isnan()
    assert (shown[seen] - exact[seen]).abs().max() < 1e-5


def test_faces_fill_the_frame_like_aligned_crops(crowd):
    inside = ((crowd.landmarks > -0.5) & (crowd.landmarks < SIZE - 0.5)).all(-1)
    assert inside.all(1).float().mean() > 0.9
    assert inside.float().mean() > 0.99
    five = five_landmarks(crowd.landmarks) / SIZE
    between_eyes = (five[:, 1, 0] - five[:, 0, 0]).mean()
    assert 0.28 < between_eyes < 0.32
    assert 0.39 < five[:, :2, 1].mean() < 0.46
    assert 0.68 < five[:, 3:, 1].mean() < 0.76


def test_background_is_nan_and_the_face_is_not(crowd):
    seen = ~crowd.canonical.isnan().any(-1)
    share = seen.float().mean((1, 2))
    assert ((share > 0.08) & (share < 0.8)).all()
    assert torch.equal(seen, ~crowd.canonical.isnan().all(-1))
    points = crowd.canonical[seen]
    assert points.abs().max() < 1.1


def test_identities_differ_more_than_variants_of_one(crowd):
    # Compare colours at fixed canonical places, so that pose plays no part.
    places = torch.tensor([[x, y] for x in (-0.45, 0.0, 0.45) for y in (-0.5, 0.15, 0.4, 0.85)])
    variants = torch.arange(3).repeat(40)
    pixels = canonical_to_pixel(places.expand(120, -1, -1), crowd.identity, variants, size=SIZE)
    colours = (
        F.grid_sample(
            crowd.images.float(), (pixels / (SIZE - 1) * 2 - 1)[:, None], align_corners=True
        )
        .flatten(1)
        .view(40, 3, -1)
    )
    within = (colours[:, 0] - colours[:, 1]).abs().mean()
    between = (colours - colours.roll(1, 0)).abs().mean()
    assert between > 1.2 * within


def test_five_landmarks_follow_the_template():
    five = five_landmarks(canonical_landmarks()[None])[0]
    expected = torch.tensor(
        [[-0.33, -0.0967], [0.33, -0.0967], [0.0, 0.25], [-0.27, 0.575], [0.27, 0.575]]
    )
    assert torch.allclose(five, expected, atol=1e-3)


@pytest.mark.parametrize(
    ("identities", "variants", "options", "message"),
    [
        (torch.arange(2), torch.arange(2), {"size": 15}, "size must be at least 16"),
        (torch.arange(2), torch.arange(3), {"size": 32}, "do not pair"),
        (torch.tensor([-1]), torch.tensor([0]), {"size": 32}, "identities must not be negative"),
        (torch.tensor([1]), torch.tensor([-2]), {"size": 32}, "variants must not be negative"),
        (torch.rand(2), torch.arange(2), {"size": 32}, "one-dimensional integer"),
        (torch.arange(2), torch.arange(2), {"size": 32, "chunk": 0}, "at least 1"),
    ],
)
def test_bad_input_is_named(identities, variants, options, message):
    with pytest.raises(ValueError, match=message):
        render_faces(identities, variants, **options)


def test_five_landmarks_want_68_points():
    with pytest.raises(ValueError, match=r"\[N, 68, 2\]"):
        five_landmarks(torch.zeros(68, 2))


def test_fewer_faces_are_the_first_of_those_already_drawn(monkeypatch, tmp_path):
    monkeypatch.setenv("DVE_CACHE", str(tmp_path))
    many = open_dataset("synthetic-68", None, "train", size=20, limit=9)
    monkeypatch.delattr(synthetic_dataset, "_fill")
    few = open_dataset("synthetic-68", None, "train", size=20, limit=4)
    assert len(few) == len(few.images) == len(few.landmarks) == 4
    assert (few.images == many.images[:4]).all() and (few.landmarks == many.landmarks[:4]).all()
    assert few.digest != many.digest


def test_five_landmarks_are_made_of_the_68_of_the_same_faces():
    five, all_of_them = (
        open_dataset(name, None, "test", size=20, limit=3) for name in ("synthetic", "synthetic-68")
    )
    assert (five.images == all_of_them.images).all()
    assert five.landmarks.shape == (3, 5, 2) and all_of_them.landmarks.shape == (3, 68, 2)
    left_eye = all_of_them.landmarks[:, 36:42].mean(1)
    np.testing.assert_allclose(five.landmarks[:, 0], left_eye, atol=1e-4)
    assert (five.eyes, all_of_them.eyes) == ((0, 1), (36, 45))
