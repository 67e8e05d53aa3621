"""Getting the published archives from a mirror on this machine, and checking what is there."""

import hashlib
import io
import shutil
import tarfile
from collections import namedtuple
from dataclasses import replace

import pytest
from filelock import FileLock

from dvelib import StudyError
from dvelib.cli import main
from dvelib.data import mirrors, open_dataset, unpacking
from dvelib.data.known import LAYOUTS
from dvelib.data.mirrors import ARCHIVES, archive_of, check, fetch
from dvelib.data.unpacking import MARKER, unpacked_from
from tests.golden_data import GOLDEN

# Where the published archives hold their datasets.
INSIDE = {
    "celeba": "data/celeba",
    "300w": ".",
    "aflw": "data/aflw/aflw_release-2",
    "aflw-mtfl": "data/aflw-mtfl",
}
EVERY = pytest.mark.parametrize("name", ARCHIVES)


@pytest.fixture
def data(tmp_path):
    """The folder of the datasets, which nobody has made yet."""
    return tmp_path / "data"


@pytest.fixture
def placed(data):
    """Put a copy of a dataset's tiny tree where the study looks."""
    return lambda name: shutil.copytree(GOLDEN / name, data / ARCHIVES[name].folder)


def packed(name, *more):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=1) as tar:
        tar.add(GOLDEN / name, INSIDE[name])
        for info in more:
            tar.addfile(info)
    return buffer.getvalue()


def served(mirror, name, body=None, **how):
    """A dataset's archive as it is, but tiny and on the local mirror."""
    body = body or packed(name)
    archive, sha1 = ARCHIVES[name], hashlib.sha1(body).hexdigest()
    url = mirror.put(archive.file, body, **how)
    return replace(archive, size=len(body), sha1=sha1, urls=(url,))


def found(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def refusal(archive, data):
    with pytest.raises(StudyError) as caught:
        fetch(archive, data)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@EVERY
def test_what_is_fetched_is_where_the_study_looks(mirror, data, name, capsys):
    archive = served(mirror, name)
    target = fetch(archive, data)
    assert target == data / archive.folder
    assert found(target) == found(GOLDEN / name) | {MARKER: f"{archive.sha1}\n".encode()}
    for layout in archive.layouts:
        for split in ("train", "test"):
            assert len(open_dataset(layout, target, split, size=32)) > 0
    file, count = data / "downloads" / archive.file, len(found(GOLDEN / name))
    last = f"unpacked {count} files to {target}; {file} is no longer needed"
    assert capsys.readouterr().out.splitlines()[-1] == last


def test_what_was_fetched_is_not_fetched_again(mirror, data, capsys):
    archive = served(mirror, "aflw")
    fetch(archive, data)
    shutil.rmtree(data / "downloads")
    capsys.readouterr()
    fetch(archive, data)
    assert len(mirror.log) == 1
    assert "aflw_release-2 was unpacked before from aflw-recrop.tar.gz" in capsys.readouterr().out
    assert not (data / "downloads").exists()


def test_an_archive_that_is_there_is_not_fetched_again(mirror, data, capsys):
    archive = served(mirror, "aflw")
    file = data / "downloads" / archive.file
    file.parent.mkdir(parents=True)
    file.write_bytes(packed("aflw"))
    archive = replace(archive, sha1=hashlib.sha1(file.read_bytes()).hexdigest())
    fetch(archive, data)
    assert mirror.log == []
    assert f"{file} is already downloaded" in capsys.readouterr().out


def test_another_file_of_that_name_is_replaced(mirror, data):
    archive = served(mirror, "aflw")
    file = data / "downloads" / archive.file
    file.parent.mkdir(parents=True)
    file.write_bytes(b"something else")
    assert unpacked_from(fetch(archive, data)) == archive.sha1
    assert len(mirror.log) == 1


def test_a_dataset_that_came_otherwise_is_left_alone(mirror, data, placed, capsys):
    before = found(placed("aflw-mtfl"))
    target = fetch(served(mirror, "aflw-mtfl"), data)
    assert (found(target), mirror.log) == (before, [])
    assert "holds the dataset already, though not from" in capsys.readouterr().out


def test_something_else_in_its_place_is_left_alone(mirror, data, placed):
    root = placed("aflw-mtfl")
    shutil.rmtree(root / "MTFL")
    before = found(root)
    message = refusal(served(mirror, "aflw-mtfl"), data)
    assert message.startswith(f"{root} holds something that is not the whole dataset: move it")
    assert "AFLW_M's test list is missing" in message
    assert (found(root), mirror.log) == (before, [])


def test_a_link_may_lead_to_a_larger_disk(mirror, data, tmp_path):
    data.mkdir()
    (data / "300w").symlink_to(tmp_path / "large" / "faces")
    fetch(served(mirror, "300w"), data)
    assert (data / "300w").is_symlink()
    assert found(tmp_path / "large" / "faces").keys() >= found(GOLDEN / "300w").keys()


def test_a_second_source_and_a_broken_transfer_do_no_harm(mirror, data, capsys):
    archive = served(mirror, "celeba", cuts=[70_000])
    wrong = mirror.put("wrong", b"<html>gone</html>")
    target = fetch(replace(archive, urls=(wrong, *archive.urls)), data)
    assert found(target).keys() == {*found(GOLDEN / "celeba"), MARKER}
    assert capsys.readouterr().err == f"{wrong}: its file does not have the published sha1\n"
    assert mirror.asked[-1].startswith("bytes=")


def test_the_manual_way_is_explained_if_all_sources_fail(mirror, data, capsys):
    archive = replace(ARCHIVES["celeba"], urls=(f"http://127.0.0.1:{mirror.port}/celeba",) * 2)
    message = refusal(replace(archive, size=2**30), data)
    assert message == (
        f"celeba.tar.gz could not be downloaded from any of its 2 sources: get celeba.tar.gz "
        f"elsewhere (1 GiB, sha1 f6872ab0f2df8e5843abe99dc6d6100dd4fea29f), put it into "
        f"{data}/downloads and repeat dve fetch celeba; or put the dataset itself (Img, Anno, "
        f"Eval, MAFL) into {data}/celeba and check it with dve check celeba --data {data}"
    )
    assert capsys.readouterr().err.count("it answers 404 Not Found\n") == 2
    assert not (data / "celeba").exists()


def test_nothing_of_a_hostile_archive_arrives(mirror, data):
    evil = tarfile.TarInfo("../../evil")
    archive = served(mirror, "aflw-mtfl", packed("aflw-mtfl", evil))
    assert "its member '../../evil' leads out of its folder" in refusal(archive, data)
    assert [p.name for p in data.iterdir()] == ["downloads"]
    assert not (data.parent / "evil").exists()


def test_a_disk_too_small_is_named_before_anything_is_asked(mirror, data, monkeypatch):
    usage = namedtuple("usage", "free")(17 * 2**30)
    monkeypatch.setattr(unpacking.shutil, "disk_usage", lambda _: usage)
    archive = replace(served(mirror, "celeba"), size=9 * 2**30)
    message = refusal(archive, data)
    assert "has 17.0 GiB free, but celeba.tar.gz needs 18.0 GiB there: free disk space" in message
    assert mirror.log == []


def test_two_runs_do_not_meet(mirror, data):
    archive = served(mirror, "aflw")
    (data / "downloads").mkdir(parents=True)
    with FileLock(data / "downloads" / ".lock"):
        assert refusal(archive, data).startswith("another dve fetch is running in ")
    fetch(archive, data)


def test_a_folder_that_cannot_be_made_is_named(mirror, data):
    data.touch()
    assert refusal(served(mirror, "aflw"), data).endswith("choose another folder with --data")


def test_the_archives_are_the_published_ones():
    assert {name: a.sha1[:6] for name, a in ARCHIVES.items()} == {
        "celeba": "f6872a",
        "300w": "885b09",
        "aflw": "939fdc",
        "aflw-mtfl": "1ff31c",
    }
    for archive in ARCHIVES.values():
        assert len(archive.sha1) == 40
        secure, plain = archive.urls
        assert secure == plain.replace("http:", "https:")
        assert plain.endswith(f"/~vgg/research/DVE/data/datasets/{archive.file}")
        assert set(archive.layouts) <= LAYOUTS.keys()
    with pytest.raises(StudyError, match="for 'pool': choose among celeba, 300w, aflw, aflw-mtfl"):
        archive_of("pool")


@EVERY
@pytest.mark.parametrize("images", [False, True])
def test_a_check_counts_beside_the_published(data, placed, name, images):
    placed(name)
    lines = list(check(archive_of(name), data, images=images))
    for layout in archive_of(name).layouts:
        for split in ("train", "test"):
            count = len(open_dataset(layout, data / ARCHIVES[name].folder, split, size=32))
            published = LAYOUTS[layout].published[split]
            title = LAYOUTS[layout].title
            assert f"{title}, {split}: {count} images, {published:,} published" in lines
    assert ("  lfpw/testset: 2 images, 224 published" in lines) == (name == "300w")
    assert any(line.startswith("  landmarks outside") for line in lines) == images
    assert lines.count("  also in the other split: 0") == 2 * len(archive_of(name).layouts)
    assert lines[-1] == "usable, but not the whole published dataset"


def test_a_check_finds_missing_files_twins_and_overlap(data, placed):
    root = placed("aflw")
    train, test = (LAYOUTS["aflw"].listing(root, split).files for split in ("train", "test"))
    shutil.copy(root / train[0], root / train[1])
    shutil.copy(root / train[0], root / test[0])
    (root / train[4]).unlink()
    lines = list(check(archive_of("aflw"), data))
    assert lines[:4] == [
        "AFLW_R, train: 4 images, 10,122 published",
        f"  missing: 1: {train[4]}",
        "  identical to another file of the split: 2",
        "  also in the other split: 2",
    ]
    assert "  also in the other split: 1" in lines[4:]
    assert lines[-1] == "partly usable: set skip_bad to true to skip 1 missing or unreadable files"


def test_a_check_names_the_first_few(data, placed):
    root = placed("aflw")
    files = LAYOUTS["aflw"].listing(root, "train").files
    for file in files[:4]:
        (root / file).unlink()
    assert f"  missing: 4: {', '.join(files[:3])} and 1 more" in check(archive_of("aflw"), data)


def test_a_check_opens_images_only_when_told(data, placed):
    root = placed("aflw")
    first = LAYOUTS["aflw"].listing(root, "train").files[0]
    (root / first).write_bytes(b"no picture")
    assert not any("no image" in line for line in check(archive_of("aflw"), data))
    assert f"  unreadable: 1: {first}" in check(archive_of("aflw"), data, images=True)


def test_a_check_knows_when_all_is_there(data, placed, monkeypatch):
    placed("aflw")
    monkeypatch.setattr(LAYOUTS["aflw"], "published", {"train": 5, "test": 3})
    assert [*check(archive_of("aflw"), data)][-1] == "usable: the whole published dataset"


def test_a_check_shows_identities(data, placed):
    root = placed("celeba")
    (root / "Anno/identity_CelebA.txt").write_text("000005.jpg 1\n000011.jpg 2\n000009.jpg 2\n")
    assert "  identities in both splits: 1" in check(archive_of("celeba"), data)


@pytest.fixture
def dve(data, capsys):
    def run(*arguments):
        status = main([*arguments, "--data", str(data)])
        return status, *capsys.readouterr()

    return run


def test_the_command_fetches_and_checks(mirror, data, dve, monkeypatch):
    monkeypatch.setitem(mirrors.ARCHIVES, "aflw-mtfl", served(mirror, "aflw-mtfl"))
    status, out, err = dve("fetch", "aflw-mtfl")
    assert (status, err) == (0, "") and "unpacked 9 files to " in out
    status, out, err = dve("check", "aflw-mtfl")
    assert (status, err) == (0, "") and out.startswith("AFLW_M, train: 4 images, 10,122 published")
    assert "landmarks outside" in dve("check", "aflw-mtfl", "--images")[1]


def remove_all(root):
    shutil.rmtree(root)


def remove_list(root):
    (root / "aflw_test_images.txt").unlink()


def remove_images(root):
    shutil.rmtree(root / "output" / "test")


def swap_lists(root):
    for kind in ("images.txt", "keypoints.mat"):
        shutil.copy(root / f"aflw_train_{kind}", root / f"aflw_test_{kind}")


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (remove_all, "or give --data the folder that holds aflw/aflw_release-2"),
        (remove_list, "AFLW_R's test list is missing"),
        (remove_images, "none of the 3 files of the test split of AFLW_R exists"),
        (swap_lists, "every test image of aflw is also a training image"),
    ],
)
def test_what_cannot_be_used_is_answered_in_a_sentence(dve, placed, damage, why):
    damage(placed("aflw"))
    status, _, err = dve("check", "aflw")
    assert status == 2
    assert err.startswith("dve: ") and err.count("\n") == 1 and why in err


@pytest.mark.parametrize("command", ["fetch", "check"])
def test_the_folder_of_the_datasets_has_to_be_named(command, capsys):
    assert main([command, "aflw"]) == 2
    message = "name the folder that holds the datasets, or is to hold them, with --data"
    assert capsys.readouterr().err == f"dve: {message}\n"


@pytest.mark.parametrize("command", ["fetch", "check"])
def test_an_unknown_dataset_is_answered_with_the_known_ones(dve, command):
    status, _, err = dve(command, "pool")
    assert status == 2 and err.endswith("choose among celeba, 300w, aflw, aflw-mtfl\n")
