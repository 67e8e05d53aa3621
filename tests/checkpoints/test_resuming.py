"""Checkpoints survive a power cut: the last whole one is found, and a sentence says which."""

import errno

import pytest
import torch

from dvelib.checkpoints import resuming
from dvelib.checkpoints.resuming import CHECKPOINT, PREVIOUS, load_checkpoint, save_checkpoint
from dvelib.common.errors import StudyError

CPU = torch.device("cpu")


@pytest.fixture
def folder(tmp_path):
    """The checkpoints of steps 2 and 3; that of step 1 is gone."""
    for step in (1, 2, 3):
        save_checkpoint(tmp_path, {"step": step, "weight": torch.full((300,), float(step))})
    return tmp_path


def damage(path, how):
    data = path.read_bytes()
    place = data.index(torch.tensor([3.0, 3.0]).numpy().tobytes()) if how == "changed" else 0
    changed = data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]
    parts = {"empty": b"", "zeros": bytes(len(data)), "cut": data[:-30], "changed": changed}
    path.write_bytes(parts[how])


def test_two_are_kept(folder):
    assert sorted(p.name for p in folder.iterdir()) == [PREVIOUS, CHECKPOINT]
    assert load_checkpoint(folder, CPU)["step"] == 3


@pytest.mark.parametrize("how", ["empty", "zeros", "cut", "changed"])
def test_a_damaged_one_is_passed_over_with_a_sentence(folder, how, capsys):
    damage(folder / CHECKPOINT, how)
    assert load_checkpoint(folder, CPU)["step"] == 2
    path = folder / CHECKPOINT
    said = f"{path} is damaged: the training goes on from the checkpoint before it\n"
    assert capsys.readouterr().err == said


def test_without_a_whole_one_the_training_starts_anew(folder):
    said = []
    for name in (CHECKPOINT, PREVIOUS):
        (folder / name).write_bytes(b"")
    assert load_checkpoint(folder, CPU, said.append) is None
    assert said[1] == f"{folder / PREVIOUS} is damaged: the training goes on from the first step"
    assert load_checkpoint(folder / "none", CPU) is None


def test_a_cut_between_the_two_names_loses_nothing(folder, monkeypatch):
    """Power fails after the last checkpoint got its second name, before the new one has any."""

    def dies(source, target):
        if target.name == CHECKPOINT:
            raise KeyboardInterrupt
        return real(source, target)

    real = resuming.os.replace
    monkeypatch.setattr(resuming.os, "replace", dies)
    with pytest.raises(KeyboardInterrupt):
        save_checkpoint(folder, {"step": 4})
    assert load_checkpoint(folder, CPU)["step"] == 3


@pytest.mark.parametrize("error", [MemoryError(), OSError(errno.EIO, "Input/output error")])
def test_a_machine_that_fails_does_not_condemn_the_file(folder, monkeypatch, error):
    def fails(*_, **__):
        raise error

    monkeypatch.setattr(torch, "load", fails)
    with pytest.raises(StudyError, match=r"checkpoint\.pt.*run again"):
        load_checkpoint(folder, CPU)
    assert sorted(p.name for p in folder.iterdir()) == [PREVIOUS, CHECKPOINT]
