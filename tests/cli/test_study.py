"""Commands about a study: what they print, and what they refuse."""

import pytest

from dvelib.checkpoints import storage
from dvelib.cli import main
from dvelib.common.files import ROOT
from dvelib.study.plan import Study


@pytest.fixture
def dve(tmp_path, capsys):
    """Run a command whose results go into a temporary folder."""

    def run(*arguments, after=()):
        status = main([*arguments, "--outputs", str(tmp_path / "outputs"), *after])
        return status, *capsys.readouterr()

    return run


def test_plan_lists_every_embedding_and_how_it_is_trained(dve):
    status, out, err = dve("plan", "--profile", "smoke")
    assert (status, err) == (0, "")
    study = Study.load("smoke")
    first, *rest = out.splitlines()
    counts = f"{len(study.embeddings)} embeddings, {len(study.regressors)} regressors"
    assert first == f"Smoke test: {len(study.tables)} tables, {counts}"
    jobs, tables = rest[: -len(study.tables)], rest[-len(study.tables) :]
    names = [line.split(":")[0].strip().removeprefix("then ") for line in jobs]
    assert sorted(names) == sorted([*study.embeddings, *study.regressors])
    assert [line.split()[1].rstrip(":") for line in tables] == list(study.tables)
    assert jobs[0].startswith("  smallnet-3d-exchange-seed0-")
    what = ": SmallNet 3-d with exchange, 24 images of synthetic, 3 steps of 4 pairs, to train"
    assert jobs[0].endswith(what)
    assert jobs[1].startswith("    then mafl-smallnet-3d-exchange-seed0-")
    assert jobs[1].endswith(": landmarks of 12 faces of synthetic, 2 epochs, to train")


def test_plan_sees_what_is_trained(dve, tmp_path):
    study = Study.load("smoke", outputs=tmp_path / "outputs")
    folder = study.embedding_folder(next(iter(study.embeddings)))
    folder.mkdir(parents=True)
    (folder / storage.WEIGHTS).touch()
    _, out, _ = dve("plan", "--profile", "smoke")
    first, *others = (line for line in out.splitlines()[1:] if "  table " not in line)
    assert first.endswith(", trained")
    assert all(line.endswith(", to train") for line in others)


def test_plan_is_about_the_quick_profile_unless_told(dve):
    assert dve("plan")[1].startswith(f"{Study.load('quick').profile.title}: ")


@pytest.mark.parametrize(
    "command",
    ["plan", "study", "site", "train study x", "regress study x", "page table x", "page explorer"],
)
def test_an_unknown_profile_is_answered_with_the_known_ones(refused, command):
    message = refused(*command.split(), "--profile", "nope")
    assert "there is no parameter file" in message
    known = sorted(path.stem for path in (ROOT / "params" / "profiles").glob("*.yaml"))
    assert message.endswith(f"profiles/nope.yaml; the existing ones are: {', '.join(known)}")


def test_data_that_is_needed_has_to_be_named(refused):
    message = refused("site", "--profile", "faces")
    assert message.endswith("the folder that holds it: name it with DATA=<folder> (or --data)")


def test_a_plan_without_its_data_says_what_is_missing(dve):
    status, out, _ = dve("plan", "--profile", "faces")
    assert status == 0
    missing = [line.split()[1] for line in out.splitlines() if line.startswith("  missing ")]
    assert set(missing) == {"mafl:", "300w:", "aflw:", "aflw-mtfl:", "folder:"}


@pytest.mark.parametrize("kind", ["missing", "empty", "file"])
def test_a_data_folder_without_the_data_is_named(refused, tmp_path, kind):
    data = tmp_path / "data"
    if kind == "empty":
        data.mkdir()
    if kind == "file":
        data.touch()
    message = refused("site", "--profile", "faces", "--data", str(data))
    assert f"there is no folder {data}/aflw-mtfl; unpack the data there, or point" in message


@pytest.mark.parametrize("command", ["train study", "page embedding"])
def test_an_unknown_embedding_is_answered_with_those_of_the_plan(refused, command):
    message = refused(*command.split(), "smallnet-3d", "--profile", "smoke")
    known = ", ".join(Study.load("smoke").embeddings)
    assert message == f"the profile has no embedding 'smallnet-3d': choose among {known}"


def test_an_unknown_table_is_answered_with_those_of_the_profile(refused):
    message = refused("page", "table", "nope", "--profile", "smoke")
    known = ", ".join(Study.load("smoke").tables)
    assert message == f"the profile has no table 'nope': choose among {known}"


@pytest.mark.parametrize("cores", ["x", "0", "-1", "1.5", ""])
def test_cores_are_a_number_or_all(refused, cores):
    message = refused("study", "--profile", "smoke", f"--cores={cores}")
    assert message == f"--cores must be a whole number of at least 1, or all, got {cores!r}"


@pytest.mark.parametrize("cores", ["2", "all"])
def test_study_hands_over_to_the_workflow(dve, monkeypatch, cores):
    handed = []
    monkeypatch.setattr("dvelib.pages.workflow.run_workflow", lambda *a: handed.append(a) or 7)
    status, _, _ = dve("study", "--profile", "smoke", "--cores", cores)
    assert status == 7
    [(study, *rest)] = handed
    assert (study.name, rest) == ("smoke", [cores, [], None])


def test_what_follows_two_dashes_goes_to_snakemake(dve, monkeypatch):
    handed = []
    monkeypatch.setattr("dvelib.pages.workflow.run_workflow", lambda *a: handed.append(a) or 0)
    assert dve("study", "--profile", "smoke", after=("--", "site/index.html", "--dry-run"))[0] == 0
    assert handed[0][2] == ["site/index.html", "--dry-run"]
