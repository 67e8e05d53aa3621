"""Audits of splits, on tiny trees in the published layouts."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from dvelib.data import celeba, open_dataset
from dvelib.data.audit import shared_images
from dvelib.data.known import LAYOUTS
from tests.golden_data import GOLDEN

ROOTS = {"mafl": "celeba", "300w-bicubic": "300w"}


@pytest.fixture
def tree(tmp_path):
    """Give a copy of a dataset's tiny tree."""
    return lambda name: shutil.copytree(GOLDEN / name, tmp_path / name)


def opened(name, root, split="train", size=100, crop=15, **options):
    return open_dataset(name, root, split, size=size, crop=crop, **options)


def audit(name, root, split="train", **options):
    return opened(name, root, split, **options).split_audit()


@pytest.mark.parametrize("split", ["train", "test"])
@pytest.mark.parametrize("name", [name for name in LAYOUTS if not name.startswith("folder")])
def test_every_dataset_has_an_audit_fit_for_json(name, split):
    dataset = opened(name, GOLDEN / ROOTS.get(name, name), split)
    found = dataset.split_audit()
    assert json.loads(json.dumps(found)) == found
    assert found["dataset"] == LAYOUTS[name].title
    assert (found["split"], found["digest"]) == (split, dataset.digest)
    assert (found["images"], found["published"]) == (len(dataset), LAYOUTS[name].published[split])
    assert found["complete"] is False
    assert found["skipped"] == found["missing"] == []
    assert found["duplicates"] == found["shared_with_other_split"]["images"] == 0
    assert ("mafl_images" in found) == ((name, split) == ("celeba", "train"))


@pytest.mark.parametrize("name", ["synthetic", "synthetic-68"])
def test_synthetic_faces_are_distinct_by_construction(name):
    found = audit(name, None, size=32, crop=4, limit=6)
    assert json.loads(json.dumps(found)) == found
    assert (found["images"], found["published"], found["complete"]) == (6, None, True)
    assert (found["duplicates"], found["missing"], found["parts"]) == (0, [], {})
    assert found["shared_with_other_split"] == {"images": 0, "identities": 0}


def test_a_stand_in_is_never_complete(tree):
    dataset = opened("aflw", tree("aflw"))
    whole = replace(dataset, published_count=len(dataset))
    assert whole.split_audit()["complete"] is True
    found = replace(whole, stand_in="other faces").split_audit()
    assert (found["complete"], found["stand_in"]) == (False, "other faces")


def test_parts_are_counted_beside_the_published(tree):
    root = tree("300w")
    assert audit("300w", root)["parts"] == {
        "afw": {"found": 2, "published": 337},
        "helen/trainset": {"found": 2, "published": 2_000},
        "lfpw/trainset": {"found": 2, "published": 811},
    }
    shutil.rmtree(root / "ibug")
    assert audit("300w", root, "test")["parts"]["ibug"] == {"found": 0, "published": 135}
    assert audit("aflw", tree("aflw"))["parts"] == {}


def test_missing_files_are_told_from_bad_ones(tree):
    root = tree("aflw")
    names = opened("aflw", root).files
    (root / names[0]).unlink()
    (root / names[2]).write_bytes(b"")
    found = audit("aflw", root, skip_bad=True)
    assert sorted(found["skipped"]) == [names[0], names[2]]
    assert found["missing"] == [names[0]]


def test_duplicates_are_all_images_that_have_a_twin(tree):
    root = tree("aflw")
    names = opened("aflw", root).files
    for copy in names[1:3]:
        shutil.copy(root / names[0], root / copy)
    assert audit("aflw", root)["duplicates"] == 3


def test_landmarks_outside_the_crop_are_counted(tmp_path):
    for i in range(3):
        Image.new("RGB", (16, 16), (9 * i, 0, 0)).save(tmp_path / f"{i}.png")
    lines = ["file,x0,y0,x1,y1", "0.png,4,4,11,11", "1.png,3,4,4,12", "2.png,20,4,,"]
    (tmp_path / "landmarks.csv").write_text("\n".join(lines))
    found = audit("folder", tmp_path, size=16, crop=4)
    assert found["outside"] == {"landmarks": 3, "images": 2}


def test_what_has_no_landmarks_has_none_outside(tmp_path):
    Image.new("RGB", (16, 16)).save(tmp_path / "a.png")
    found = audit("folder", tmp_path, size=16, crop=0)
    assert found["outside"] is None
    assert found["shared_with_other_split"] == {"images": None, "identities": None}
    assert found["complete"] is True


@pytest.mark.parametrize("split", ["train", "test"])
def test_images_of_both_splits_are_counted_by_path(tree, split):
    root = tree("celeba")
    with open(root / "MAFL/testing.txt", "a") as file:
        file.write("000009.jpg\n")
    assert audit("mafl", root, split)["shared_with_other_split"]["images"] == 1


@pytest.mark.parametrize("split", ["train", "test"])
def test_images_of_both_splits_are_counted_by_content(tree, split):
    root = tree("aflw")
    train, test = opened("aflw", root), opened("aflw", root, "test")
    shutil.copy(root / train.files[3], root / test.files[1])
    assert audit("aflw", root, split)["shared_with_other_split"]["images"] == 1


@pytest.mark.parametrize("split", ["train", "test"])
def test_identities_of_both_splits_are_counted(tree, split):
    root = tree("celeba")
    lines = ["000005.jpg 1", "000011.jpg 2", "000009.jpg 2"]
    (root / "Anno/identity_CelebA.txt").write_text("\n".join(lines))
    assert audit("mafl", root, split)["shared_with_other_split"]["identities"] == 1


def test_an_other_split_that_cannot_be_read_is_not_known(tree):
    root = tree("aflw")
    (root / "aflw_test_keypoints.mat").write_bytes(b"")
    unknown = {"images": None, "identities": None}
    assert audit("aflw", root)["shared_with_other_split"] == unknown


def test_missing_files_of_the_other_split_do_not_matter(tree):
    root = tree("aflw")
    (root / opened("aflw", root, "test").files[0]).unlink()
    assert audit("aflw", root)["shared_with_other_split"]["images"] == 0


@pytest.mark.parametrize("name", ["aflw", "celeba", "mafl"])
def test_an_audit_outlives_the_files(tree, name):
    root = tree(ROOTS.get(name, name))
    dataset = opened(name, root)
    shutil.rmtree(root)
    found = dataset.split_audit()
    assert found["duplicates"] is None
    assert found["shared_with_other_split"] == {"images": None, "identities": None}
    assert found["images"] == len(dataset)


def test_no_image_of_mafl_is_in_celebas_training(tree, monkeypatch):
    root = tree("celeba")
    dataset = opened("celeba", root)
    assert dataset.split_audit()["mafl_images"] == 0
    with open(root / "MAFL/testing.txt", "a") as file:
        file.write("000001.jpg\n")
    assert dataset.split_audit()["mafl_images"] == 1  # had it been made with that list


def test_a_mafl_list_is_checked_by_its_counts_in_partitions(tree, monkeypatch):
    root = tree("celeba")
    found = audit("mafl", root, "test")
    assert found["stand_in"] == (
        "not the published list: it has 2/0/0 images in CelebA's partitions, "
        "the published list 808/96/96"
    )
    assert "partitions, the published list 15,461/1,810/1,729" in audit("mafl", root)["stand_in"]
    monkeypatch.setitem(celeba.MAFL_SPREAD, "test", (2, 0, 0))
    dataset = replace(opened("mafl", root, "test"), published_count=2)
    found = dataset.split_audit()
    assert (found["complete"], found["stand_in"]) == (True, None)


def test_a_mafl_list_that_cannot_be_compared_is_no_published_one(tree):
    root = tree("celeba")
    (root / "Eval/list_eval_partition.txt").unlink()
    assert "possibly not the published list" in audit("mafl", root)["stand_in"]


def test_a_stated_stand_in_is_kept():
    dataset = opened("mafl", GOLDEN / "celeba", stand_in="machine labels")
    assert dataset.split_audit()["stand_in"] == "machine labels"


def test_the_published_spread_adds_up():
    assert {s: sum(counts) for s, counts in celeba.MAFL_SPREAD.items()} == celeba.Mafl.published


def test_shared_images_are_found_by_content(tmp_path, tree):
    root = tree("aflw")
    test = opened("aflw", root, "test")
    pool = tmp_path / "pool"
    pool.mkdir()
    Image.fromarray(np.full((16, 16, 3), 7, np.uint8)).save(pool / "other.png")
    assert shared_images(opened("folder", pool), test) == 0
    shutil.copy(root / test.files[1], pool / "renamed.jpg")
    assert shared_images(opened("folder", pool), test) == 1
    assert shared_images(test, test) == len(test)


def test_shared_images_are_found_by_name_within_celeba(tree, tmp_path):
    root = tree("celeba")
    train, test = opened("celeba", root), opened("mafl", root, "test")
    assert shared_images(train, test) == 0
    again = tmp_path / "again"
    shutil.copytree(root, again)
    replacement = again / "Img/img_align_celeba_hq/000001.jpg"
    Image.new("RGB", (178, 218)).save(replacement)  # the same image, stored anew
    (again / "MAFL/testing.txt").write_text("000001.jpg\n000005.jpg\n")
    assert shared_images(train, opened("mafl", again, "test")) == 1


def test_shared_synthetic_faces_are_found_by_name():
    faces = opened("synthetic", None, size=32, crop=4, limit=3)
    others = replace(faces, files=tuple(f.replace("train", "test") for f in faces.files))
    fewer = replace(faces, name="synthetic-68", files=faces.files[:2])
    assert [shared_images(faces, other) for other in (faces, fewer, others)] == [3, 2, 0]
    assert shared_images(faces, opened("aflw", GOLDEN / "aflw")) == 0
