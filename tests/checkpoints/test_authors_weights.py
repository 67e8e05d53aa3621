import json
from collections import OrderedDict

import pytest
import torch
from safetensors.torch import load_file, save_file

from dvelib.checkpoints.authors_settings import experiment, published_spec
from dvelib.checkpoints.authors_weights import load_model, published_embedding, save_converted
from dvelib.checkpoints.storage import load_embedding, save_embedding
from dvelib.common.errors import StudyError
from dvelib.networks import Hourglass, SmallNet, build_network
from dvelib.regressor import LandmarkRegressor
from tests.golden_data import fill_state, load, relative
from tests.published_writer import FORMS, write_checkpoint

ARCH = {"smallnet": "SmallNet", "hourglass": "HourglassNet"}


def filled(architecture="smallnet", dimension=3):
    network = build_network(architecture, dimension).eval()
    fill_state(network, gain=0.5)
    return network


def regressor_state(network, head, index=1, prefix=""):
    state = {f"0.wrapped_module.{key}": value for key, value in network.state_dict().items()}
    state |= {f"{index}.{key}": value for key, value in head.state_dict().items()}
    # What the authors' class also saved: the first a view of the same numbers.
    state[f"{index}.descriptors"] = head.inner_conv.weight.detach()
    for i in range(head.landmarks):
        state[f"{index}.linear.{i}.weight"] = torch.zeros(2, 100)
    return OrderedDict((prefix + key, value) for key, value in state.items())


def saved(folder, state, arch="SmallNet", epoch=100, form="stream"):
    return write_checkpoint(folder / "checkpoint.pth", form, arch, epoch, state)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dimension", [3, 64])
def test_a_published_network_equals_its_twin(tmp_path, form, dimension):
    network = filled(dimension=dimension)
    state = {f"module.{key}": value for key, value in network.state_dict().items()}
    save_file(network.state_dict(), tmp_path / "twin.safetensors")
    twin = SmallNet(dimension).eval()
    twin.load_state_dict(load_file(tmp_path / "twin.safetensors"))
    model = load_model(saved(tmp_path, state, form=form))
    assert (model.architecture, model.dimension, model.epoch) == ("smallnet", dimension, 100)
    assert model.regressor is None and model.experiment is None and not model.upsampled
    assert not model.network.training and model.network.conv1[0].weight.requires_grad
    images = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        assert model.network(images).equal(twin(images))


def test_a_published_file_gives_the_published_outputs(tmp_path):
    network = SmallNet(64)
    fill_state(network, gain=1.0)
    golden = load("smallnet_64d")
    with torch.no_grad():
        output = load_model(saved(tmp_path, network.state_dict())).network(golden["input"])
    assert relative(output[..., ::4, ::4], golden["output_eval"]) < 1e-4


def test_loading_draws_no_random_numbers(tmp_path):
    path = saved(tmp_path, filled().state_dict())
    before = torch.get_rng_state()
    load_model(path)
    assert torch.get_rng_state().equal(before)


def test_files_from_before_batches_were_counted_are_read(tmp_path):
    state = {k: v for k, v in filled().state_dict().items() if "num_batches" not in k}
    network = load_model(saved(tmp_path, state)).network
    assert network.conv1[1].num_batches_tracked == 0


@pytest.mark.parametrize(
    ("architecture", "index", "prefix"),
    [("smallnet", 1, ""), ("smallnet", 2, "module."), ("hourglass", 1, "module.")],
)
def test_a_published_regressor_equals_its_twin(tmp_path, architecture, index, prefix):
    network, head = filled(architecture, 8), LandmarkRegressor(8, 5).eval()
    path = saved(tmp_path, regressor_state(network, head, index, prefix), "Sequential", 300)
    model = load_model(path)
    assert (model.arch, model.architecture, model.dimension) == ("Sequential", architecture, 8)
    assert model.upsampled == (index == 2) and model.regressor.landmarks == 5
    images = torch.randn(1, 3, 32, 32)
    with torch.no_grad():
        for found, twin in zip(
            model.regressor(model.network(images)), head(network(images)), strict=True
        ):
            assert found.equal(twin)


def changed(state, **changes):
    state = dict(state) | changes
    return {key: value for key, value in state.items() if value is not None}


FITS = "does not match the SmallNet 3-d: "


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"conv2.0.bias": None}, FITS + "'conv2.0.bias' is missing"),
        ({"conv2.1.running_var": None}, FITS + "'conv2.1.running_var' is missing"),
        ({"conv7.weight": torch.ones(1)}, FITS + "'conv7.weight' is unexpected"),
        ({"": torch.ones(1)}, FITS + "'' is unexpected"),
        (
            {"conv1.0.weight": torch.ones(20, 3, 3, 3)},
            FITS
            + "'conv1.0.weight' is [20, 3, 3, 3] of float32, expected [20, 3, 5, 5] of float32",
        ),
        ({"conv6.bias": torch.ones(3).double()}, FITS + "'conv6.bias' is [3] of float64"),
        ({"conv6.weight": torch.ones(4, 256, 1, 1)}, "SmallNet 4-d: 'conv6.bias' is [3] of"),
        ({"conv6.weight": None}, "SmallNet 64-d: 'conv6.weight' is missing"),
        ({"conv6.weight": torch.ones(3)}, "SmallNet 64-d: 'conv6.weight' is [3] of float32"),
        (
            {"conv6.weight": torch.empty(2**40, 0, 1, 1)},
            "SmallNet 64-d: 'conv6.weight' is [1099511627776, 0, 1, 1]",
        ),
    ],
    ids=range(10),
)
def test_wrong_weights_are_refused_naming_their_first_key(tmp_path, changes, said):
    refused(saved(tmp_path, changed(filled().state_dict(), **changes)), said)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"1.reg_conv.weight": None}, "'1.reg_conv.weight' is missing"),
        ({"1.inner_conv.weight": None}, "'1.inner_conv.weight' is missing"),
        ({"1.other": torch.ones(1)}, "'1.other' is unexpected"),
        (
            {"3.other": torch.ones(1)},
            "does not match a landmark regressor: '3.other' is unexpected",
        ),
        (
            {"1.inner_conv.weight": torch.ones(100, 4, 1, 1)},
            "[100, 4, 1, 1] of float32, expected [",
        ),
        ({"1.reg_conv.weight": torch.ones(5)}, "'1.reg_conv.weight' is [5] of float32"),
        ({"1.reg_conv.weight": torch.ones(3, 100, 1, 1)}, "regressor of 1 landmarks from 3"),
        ({"0.wrapped_module.conv6.bias": None}, "'0.wrapped_module.conv6.bias' is missing"),
    ],
    ids=range(8),
)
def test_wrong_regressors_are_refused_naming_their_first_key(tmp_path, changes, said):
    state = regressor_state(filled(), LandmarkRegressor(3, 2))
    refused(saved(tmp_path, changed(state, **changes), "Sequential"), said)


def refused(path, said, name=None, loads=load_model):
    with pytest.raises(StudyError) as error:
        loads(path, name)
    message = str(error.value)
    assert message.startswith(f"{path} ") and said in message and "\n" not in message, message


def test_another_network_is_refused(tmp_path):
    path = saved(tmp_path, {"a": torch.ones(1)}, arch="ResNet")
    refused(
        path, "holds the network 'ResNet', which is not one of SmallNet, HourglassNet, Sequential"
    )
    refused(saved(tmp_path, {}, arch="HourglassNet"), "Hourglass 64-d: 'conv1.weight' is missing")


NAME = "celeba-smallnet-3d-dve"


def test_an_embedding_has_the_published_settings(tmp_path):
    path = saved(tmp_path, filled().state_dict())
    embedding = published_embedding(path, NAME)
    assert embedding.spec == published_spec(NAME) and embedding.history.empty
    assert not embedding.network.training
    made = embedding.provenance
    assert made["url"] == experiment(NAME).url and made["file"] == "checkpoint.pth"
    assert len(made["sha256"]) == 64 and made["epoch"] == 100
    assert embedding.folder == tmp_path / f"checkpoint-{made['sha256'][:10]}"
    assert not embedding.folder.exists()


def test_an_embedding_can_be_kept_like_a_trained_one(tmp_path):
    e = published_embedding(saved(tmp_path, filled().state_dict()), NAME)
    save_embedding(e.folder, e.network, e.spec, e.provenance, e.history)
    again = load_embedding(e.folder)
    assert again.spec == e.spec and again.provenance == e.provenance and again.history.empty
    assert again.network.conv6.weight.equal(e.network.conv6.weight)


def test_the_embedding_of_a_regressors_file_is_its_frozen_network(tmp_path):
    network, name = filled(), "300w-ft-keypoints-celeba-smallnet-3d-dve"
    state = regressor_state(network, LandmarkRegressor(3, 68))
    embedding = published_embedding(saved(tmp_path, state, "Sequential", 300), name)
    assert embedding.spec.data.name == "300w" and embedding.spec.epochs == 50
    assert embedding.provenance["embedding"] == "300w-ft-celeba-smallnet-3d-dve"
    assert embedding.network.conv6.weight.equal(network.conv6.weight)


def test_the_folders_above_a_file_tell_the_experiment(tmp_path):
    state = filled().state_dict()
    path = saved(tmp_path / NAME / "2019-08-08_17-54-21", state)
    assert load_model(path).experiment == experiment(NAME)
    assert published_embedding(path).spec == published_spec(NAME)
    other = saved(tmp_path / NAME / "other", state, epoch=50)
    assert load_model(other).experiment is None


def test_an_embedding_of_an_unknown_experiment_asks_which(tmp_path):
    path = saved(tmp_path, filled().state_dict())
    said = "SmallNet 3-d after epoch 100: give the name of its published experiment, one of "
    refused(path, said + f"{NAME}, celeba-smallnet-3d", loads=published_embedding)
    path = saved(tmp_path, filled(dimension=7).state_dict())
    refused(path, "though no published one matches", loads=published_embedding)


@pytest.mark.parametrize(
    "name",
    [
        "celeba-smallnet-16d",
        "celeba-hourglass-64d-dve",
        "300w-ft-celeba-smallnet-3d-dve",
        "mafl-keypoints-celeba-smallnet-3d",
    ],
)
def test_a_file_that_is_another_experiment_is_refused(tmp_path, name):
    path = saved(tmp_path, filled().state_dict())
    for loads in (load_model, published_embedding):
        refused(path, f"is not the published {name}: it holds the SmallNet 3-d after", name, loads)
    with pytest.raises(StudyError, match="did you mean 'celeba-smallnet-3d'"):
        load_model(path, "celeba-smallnet-3")


@pytest.mark.parametrize("arch", ["HourglassNet", "Sequential"])
def test_a_converted_model_is_safetensors_and_readable_facts(tmp_path, arch):
    network, head = filled("hourglass", 64), LandmarkRegressor(64, 5)
    regresses = arch == "Sequential"
    state = regressor_state(network, head) if regresses else network.state_dict()
    model = load_model(saved(tmp_path, state, arch, 300 if regresses else 100))
    save_converted(model, tmp_path / "converted")
    facts = json.loads((tmp_path / "converted" / "published.json").read_text())
    assert facts["arch"] == arch and facts["dimension"] == 64 and facts["experiment"] is None
    assert facts["landmarks"] == (5 if regresses else None) and facts["file"] == "checkpoint.pth"
    again = Hourglass(64)
    again.load_state_dict(load_file(tmp_path / "converted" / "network.safetensors"))
    assert all(v.equal(network.state_dict()[k]) for k, v in again.state_dict().items())
    kept = tmp_path / "converted" / "regressor.safetensors"
    assert kept.exists() == regresses
    if regresses:
        assert load_file(kept)["inner_conv.weight"].equal(head.inner_conv.weight)


def test_the_facts_of_a_known_experiment_are_written(tmp_path):
    model = load_model(saved(tmp_path, filled().state_dict()), NAME)
    save_converted(model, tmp_path / "converted")
    facts = json.loads((tmp_path / "converted" / "published.json").read_text())
    assert facts["experiment"]["url"] == experiment(NAME).url
    assert facts["sha256"] == model.sha256
