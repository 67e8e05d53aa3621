"""The command line: what it prints, and one sentence for every mistake."""

import dataclasses

import pytest
import torch

from dvelib import StudyError
from dvelib.checkpoints import storage
from dvelib.cli import entry_point, main
from dvelib.common.devices import resolve_device
from dvelib.common.files import FAILURE, ROOT, read_json
from dvelib.study.plan import Study

without_gpu = pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is there")


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("DVE_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def dve(tmp_path, capsys):
    """Run a command on the smoke profile, its results going nowhere else."""

    def run(*arguments):
        status = main([*arguments, "--outputs", str(tmp_path / "outputs")])
        return status, *capsys.readouterr()

    return run


@pytest.fixture
def refused(dve):
    def run(*arguments):
        status, out, err = dve(*arguments)
        assert status == 2
        assert out == ""
        assert err.startswith("dve: ") and err.endswith("\n") and err.count("\n") == 1
        return err.removeprefix("dve: ").rstrip("\n")

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


@pytest.mark.parametrize("command", ["plan", "study", "site", "train x", "table x"])
def test_an_unknown_profile_is_answered_with_the_known_ones(refused, command):
    message = refused(*command.split(), "--profile", "nope")
    assert "there is no parameter file" in message
    known = sorted(path.stem for path in (ROOT / "params" / "profiles").glob("*.yaml"))
    assert message.endswith(f"profiles/nope.yaml; those that exist: {', '.join(known)}")


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


@pytest.mark.parametrize("command", ["train", "embedding-page"])
def test_an_unknembedding_training_is_answered_with_those_of_the_plan(refused, command):
    message = refused(command, "smallnet-3d", "--profile", "smoke")
    known = ", ".join(Study.load("smoke").embeddings)
    assert message == f"the profile has no embedding 'smallnet-3d': choose among {known}"


def test_an_unknown_table_is_answered_with_those_of_the_profile(refused):
    message = refused("table", "nope", "--profile", "smoke")
    known = ", ".join(Study.load("smoke").tables)
    assert message == f"the profile has no table 'nope': choose among {known}"


@pytest.mark.parametrize("cores", ["x", "0", "-1", "1.5", ""])
def test_cores_are_a_number_or_all(refused, cores):
    message = refused("study", "--profile", "smoke", f"--cores={cores}")
    assert message == f"--cores must be a number from 1 on, or all, got {cores!r}"


@pytest.mark.parametrize("cores", ["2", "all"])
def test_study_hands_over_to_the_workflow(dve, monkeypatch, cores):
    handed = []
    monkeypatch.setattr("dvelib.pages.workflow.run_workflow", lambda *a: handed.append(a) or 7)
    status, _, _ = dve("study", "--profile", "smoke", "--cores", cores)
    assert status == 7
    [(study, *rest)] = handed
    assert (study.name, rest) == ("smoke", [cores, []])


@without_gpu
def test_a_gpu_that_is_not_there_is_named():
    assert resolve_device("auto") == resolve_device("cpu") == torch.device("cpu")
    with pytest.raises(StudyError, match="a GPU was asked for .* set device to auto or cpu"):
        resolve_device("cuda")


@without_gpu
def test_a_training_that_cannot_start_is_on_record(refused, tmp_path, monkeypatch):
    study = Study.load("smoke", outputs=tmp_path / "outputs")
    profile = study.profile.model_copy(update={"device": "cuda"})
    study = dataclasses.replace(study, profile=profile)
    monkeypatch.setattr("dvelib.cli._load", lambda options: study)
    name = next(iter(study.embeddings))
    message = refused("train", name, "--profile", "smoke")
    assert message.startswith("a GPU was asked for")
    found = read_json(study.embedding_folder(name) / FAILURE)
    assert (found["what"], found["message"]) == (f"embedding {name}", message)


def test_an_interrupt_is_no_traceback(dve, monkeypatch):
    def interrupted(options, **how):
        raise KeyboardInterrupt

    monkeypatch.setattr("dvelib.cli._load", interrupted)
    assert dve("plan") == (130, "", "dve: stopped: the same command goes on from here\n")


def test_mistakes_in_the_program_are_not_hidden(dve, monkeypatch):
    monkeypatch.setattr("dvelib.cli._load", lambda options, **how: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        dve("plan")


@pytest.mark.parametrize("arguments", [[], ["nonsense"], ["plan", "--nonsense"], ["table"]])
def test_an_unknown_command_shows_the_usage(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert capsys.readouterr().err.startswith("usage: dve")


def test_the_exit_status_is_the_commands(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["dve", "plan", "--profile", "nope"])
    with pytest.raises(SystemExit) as caught:
        entry_point()
    assert caught.value.code == 2
    assert capsys.readouterr().err.startswith("dve: there is no parameter file")
