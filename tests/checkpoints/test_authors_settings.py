import pytest

from dvelib.checkpoints.authors_settings import experiment, experiments, published_spec
from dvelib.checkpoints.specifications import EmbeddingSpec
from dvelib.common.errors import StudyError


def test_an_experiment_has_its_address_and_sizes():
    found = experiment("mafl-keypoints-celeba-hourglass-64d-dve")
    assert found.url.startswith("http://www.") and found.url.endswith("checkpoint-epoch300.pth")
    assert (found.architecture, found.dimension, found.exchange) == ("hourglass", 64, True)
    assert (found.dataset, found.size, found.crop, found.epoch) == ("MAFLAligned", 136, 20, 300)
    assert found.is_regressor and found.embedding == "celeba-hourglass-64d-dve"
    assert not experiment(found.embedding).is_regressor


def test_all_experiments_are_there():
    assert len(experiments()) == 87
    assert sum(found.is_regressor for found in experiments().values()) == 63


@pytest.mark.parametrize("slashes", ["http:/www.a.b/c", "http://www.a.b/c"])
def test_an_address_with_one_slash_is_mended(monkeypatch, slashes):
    row = {
        "experiment": "celeba-smallnet-3d",
        "arch": "SmallNet",
        "dim": 3,
        "dataset": "",
        "imwidth": 100,
        "crop": 15,
        "epoch": 100,
        "checkpoint_url": slashes,
        "finetune_from": None,
    }
    tables = {"a": {"rows": [row]}}
    monkeypatch.setattr("dvelib.checkpoints.authors_settings.published_tables", lambda: tables)
    assert experiments.__wrapped__()["celeba-smallnet-3d"].url == "http://www.a.b/c"


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("celeba-smalnet-64d-dve", "did you mean 'celeba-smallnet-64d-dve'?"),
        ("nonsense", "they are named in dvelib/paper/published.json"),
    ],
)
def test_an_unknown_experiment_is_an_error_with_a_suggestion(name, hint):
    for asked in (experiment, published_spec):
        with pytest.raises(StudyError) as error:
            asked(name)
        assert str(error.value) == f"there is no published experiment {name!r}: {hint}"


@pytest.mark.parametrize("name", experiments())
def test_the_settings_agree_with_the_published_table(name, published_rows):
    found, row = published_spec(name), published_rows[name]
    assert (found.size, found.crop, found.dimension) == (row["imwidth"], row["crop"], row["dim"])
    if row["loss"] == "regression_loss":
        assert row["finetune_from"].endswith(f"checkpoint-epoch{found.epochs}.pth")
        assert experiment(name).embedding in row["finetune_from"]
        return
    assert found.exchange == (row["loss"] == "dense_correlation_loss_dve")
    assert found.scale == (20.0 if row["normalize_vectors"] else None)
    assert found.epochs == row["epoch"]
    assert (found.parent is not None) == (row["finetune_from"] is not None)


@pytest.fixture(scope="module")
def published_rows():
    from dvelib.paper.numbers import published_tables

    return {row["experiment"]: row for t in published_tables().values() for row in t["rows"]}


def test_a_smallnet_on_celeba_has_the_published_settings():
    found = published_spec("celeba-smallnet-16d")
    data = {"name": "celeba"}
    assert found == EmbeddingSpec(
        data=data, dimension=16, exchange=False, epochs=100, lower_rate_from=(72, 92)
    )
    assert (found.batch, found.learning_rate, found.bias_lr) == (32, 1e-3, 1e-5)


def test_finetuning_has_its_own_loss_and_a_parent():
    found = published_spec("aflw-mtfl-ft-keypoints-celeba-smallnet-3d")
    assert found.data.name == "aflw-mtfl" and not found.exchange
    assert (found.scale, found.bias_lr, found.epochs, found.lower_rate_from) == (
        20.0,
        None,
        50,
        (32, 42),
    )
    assert found.parent == published_spec("celeba-smallnet-3d")


def test_hourglasses_have_smaller_batches():
    for name, epochs, drops in (
        ("celeba-hourglass-64d-dve", 100, (52,)),
        ("300w-ft-celeba-hourglass-64d-dve", 50, (32, 42)),
    ):
        found = published_spec(name)
        assert (found.batch, found.scale, found.bias_lr) == (16, 20.0, None)
        assert (found.epochs, found.lower_rate_from) == (epochs, drops)
