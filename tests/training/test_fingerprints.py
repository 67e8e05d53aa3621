"""A change of the numbers of a training is noticed."""

import json

import pytest
import torch

from dvelib import losses, warps
from dvelib.common.files import write_json
from dvelib.training import embedding_step, fingerprints
from dvelib.training.fingerprints import (
    CASES,
    Fingerprint,
    compare,
    defaults,
    fingerprint,
    recorded,
)
from dvelib.training.versions import METHOD_VERSIONS

RECORD = "`python -m dvelib.training.fingerprints record`"
REMEDY = (
    "the numbers of this training have moved. Undo the change; or, if it is meant, raise "
    "METHOD_VERSIONS[{!r}] in dvelib/training/versions.py, which retrains every study, and "
    f"record the new numbers with {RECORD}"
)
SMALLNET = "SmallNet, raw, exchange"


@pytest.mark.parametrize("name", CASES)
def test_a_training_gives_the_recorded_numbers(name):
    wrong = compare(name, fingerprint(name), recorded()["cases"][name])
    assert not wrong, f"{'; '.join(wrong)}: {REMEDY.format(CASES[name].method)}"


def test_the_record_belongs_to_the_present_versions_and_cases():
    held = recorded()
    assert held["versions"] == METHOD_VERSIONS, f"a version was raised: record anew with {RECORD}"
    assert set(held["cases"]) == set(CASES), f"there are other cases: record anew with {RECORD}"


def test_defaults_are_the_recorded_ones():
    """Names leave defaults out, so trainings of two defaults would share a name."""
    now, held = json.loads(json.dumps(defaults())), recorded()["defaults"]
    for kind, fields in held.items():
        known = {name: value for name, value in now[kind].items() if name in fields}
        assert known == fields, f"a default of {kind} was changed: undo it, or raise the versions"
        assert set(now[kind]) == set(fields), (
            f"{kind} has a new field: its default must stand for the behaviour before it; "
            f"then record anew with {RECORD}"
        )


def test_a_changed_constant_of_the_loss_is_noticed(monkeypatch):
    distances = losses._distances
    monkeypatch.setattr(losses, "_distances", lambda e, axis, p: 1.005 * distances(e, axis, p))
    for name in (SMALLNET, "SmallNet, raw, plain"):
        assert compare(name, fingerprint(name), recorded()["cases"][name])


def test_a_changed_warp_is_noticed(monkeypatch):
    monkeypatch.setattr(embedding_step, "TRAINING_WARP", warps.WarpDistribution(rotation=6.0))
    assert compare(SMALLNET, fingerprint(SMALLNET), recorded()["cases"][SMALLNET])


def test_another_movement_of_the_weights_is_noticed():
    """Even where losses and the length of the movement are the recorded ones."""
    held = recorded()["cases"][SMALLNET]
    other = torch.randn(len(held["directions"]), generator=torch.Generator().manual_seed(0))
    found = Fingerprint("embedding", held["losses"], held["length"], other.tolist())
    assert "another way" in compare(SMALLNET, found, held)[0]


def test_recording_writes_what_comparing_reads(tmp_path, monkeypatch):
    monkeypatch.setattr(fingerprints, "CASES", {"regressor": CASES["regressor"]})
    path = tmp_path / "fingerprints.json"
    fingerprints.record(path)
    held = json.loads(path.read_text())
    assert held["versions"] == METHOD_VERSIONS
    case = held["cases"]["regressor"]
    assert not compare("regressor", fingerprint("regressor"), case)
    case["losses"][0] *= 1.01
    write_json(path, held)
    assert "loss 1 is" in compare("regressor", fingerprint("regressor"), case)[0]
