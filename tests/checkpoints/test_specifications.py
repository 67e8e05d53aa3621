"""Specifications: published defaults, strict values, errors that name file and key."""

import copy
import shutil

import pytest
import yaml

from dvelib import StudyError
from dvelib.checkpoints.specifications import DataSpec, EmbeddingSpec, read_yaml, validate
from dvelib.common.files import ROOT
from dvelib.paper.numbers import published_numbers
from dvelib.study.plan import Study
from dvelib.study.profiles import ProfileSpec, RowSpec, TableSpec

PARAMS = ROOT / "params"
TABLES = sorted(PARAMS.glob("*.yaml"))
PROFILES = sorted((PARAMS / "profiles").glob("*.yaml"))
WHERE = "mine.yaml"


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("DVE_CACHE", str(tmp_path / "cache"))


def spec(**changes):
    values = {"data": {"name": "synthetic"}, "epochs": 100} | changes
    return validate(EmbeddingSpec, values, WHERE)


def refusal(read, *arguments, **named):
    with pytest.raises(StudyError) as caught:
        read(*arguments, **named)
    assert "\n" not in str(caught.value)
    assert "pydantic" not in str(caught.value)
    return str(caught.value)


def test_the_defaults_are_the_published_smallnet():
    published = {
        "architecture": "smallnet",
        "dimension": 64,
        "exchange": True,
        "scale": None,
        "distance_power": 0.5,
        "size": 100,
        "crop": 15,
        "noise": "published",
        "batch": 32,
        "learning_rate": 1e-3,
        "bias_lr": 1e-5,
        "weight_decay": 0.0,
        "amsgrad": True,
        "precision": "float32",
    }
    assert spec().model_dump(include=set(published)) == published


@pytest.mark.parametrize(
    ("key", "suggestion"),
    [
        ("stepz", "; did you mean 'steps'?"),
        ("learning_rat", "; did you mean 'learning_rate'?"),
        ("qqqq", "; the keys are architecture, dimension, exchange"),
    ],
)
def test_an_unknown_key_is_named(key, suggestion):
    assert refusal(spec, **{key: 3}).startswith(f"mine.yaml: unknown key {key!r}{suggestion}")


def test_an_unknown_key_inside_another_is_named():
    message = refusal(spec, data={"name": "folder", "limt": 3})
    assert message == "mine.yaml: unknown key 'data.limt'; did you mean 'limit'?"
    message = refusal(spec, parent={"data": {"name": "folder", "fold": "x"}, "epochs": 1})
    assert message == "mine.yaml: unknown key 'parent.data.fold'; did you mean 'folder'?"


def test_an_unknown_key_goes_before_the_one_it_left_missing():
    message = refusal(validate, TableSpec, {"titel": "x"}, WHERE)
    assert message == "mine.yaml: unknown key 'titel'; did you mean 'title'?"


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("learning_rate", "3e-4", "'3e-4', which YAML reads as text: write 0.0003"),
        ("bias_lr", "1e-05", "'1e-05', which YAML reads as text: write 0.00001"),
        ("learning_rate", "fast", "must be a valid number, got 'fast'"),
        ("batch", 8.0, "must be a valid integer, got 8.0"),
        ("batch", True, "must be a valid integer, got True"),
        ("batch", "8", "must be a valid integer, got '8'"),
        ("exchange", "yes", "must be a valid boolean, got 'yes'"),
        ("exchange", 1, "must be a valid boolean, got 1"),
        ("architecture", "resnet", "must be 'smallnet' or 'hourglass', got 'resnet'"),
        ("noise", None, "must be 'published', 'colour' or 'none', got None"),
        ("lower_rate_from", 72, "must be a list, got 72"),
        ("data", "folder", "must hold keys with values, got 'folder'"),
    ],
)
def test_a_value_of_the_wrong_type_is_named(key, value, message):
    found = refusal(spec, **{key: value})
    assert found.startswith(f"mine.yaml: {key}: ")
    assert found.endswith(message)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("dimension", 0),
        ("dimension", 1025),
        ("size", 15),
        ("size", 1025),
        ("crop", -1),
        ("batch", 1),
        ("epochs", 0),
        ("learning_rate", -1e-9),
        ("learning_rate", 10.1),
        ("learning_rate", float("nan")),
        ("scale", 0),
        ("scale", float("inf")),
        ("distance_power", 0),
        ("distance_power", 4.1),
        ("weight_decay", -0.1),
        ("seed", -1),
    ],
)
def test_a_value_out_of_range_is_named(key, value):
    message = refusal(spec, **{key: value})
    assert message.startswith(f"mine.yaml: {key}: must be ")
    assert message.endswith(f", got {value!r}")


def test_places_inside_lists_and_keys_are_named():
    message = refusal(spec, lower_rate_from=[72, 0])
    assert message.startswith("mine.yaml: lower_rate_from.1: must be greater")
    message = refusal(spec, data={"name": "folder", "limit": 0})
    assert message.startswith("mine.yaml: data.limit: must be greater")
    message = refusal(spec, data={"name": "celebb"})
    assert message.startswith("mine.yaml: data.name: must be one of synthetic, ")
    assert refusal(spec, data={}) == "mine.yaml: data.name: is missing"


@pytest.mark.parametrize("lengths", [{"epochs": None}, {"epochs": 3, "steps": 10}])
def test_length_is_either_epochs_or_steps(lengths):
    assert refusal(spec, **lengths) == "mine.yaml: give either epochs or steps, and not both"


@pytest.mark.parametrize(("size", "crop"), [(136, 20), (96, 0), (52, 10), (160, 16)])
def test_sides_that_the_hourglass_can_halve_five_times(size, crop):
    assert spec(architecture="hourglass", size=size, crop=crop).size == size


@pytest.mark.parametrize(("size", "crop"), [(100, 15), (100, 10), (112, 0), (97, 0)])
def test_sides_that_the_hourglass_cannot_halve(size, crop):
    message = refusal(spec, architecture="hourglass", size=size, crop=crop)
    assert f"size {size} less twice crop {crop} is {size - 2 * crop} pixels" in message
    assert message.endswith("it must be a multiple of 32")


def test_smallnet_needs_an_even_side():
    assert spec(size=98).size == 98
    message = refusal(spec, size=101)
    assert "is 71 pixels, which the smallnet cannot halve evenly" in message
    assert message.endswith("it must be a multiple of 2")


def test_a_crop_must_leave_something():
    message = refusal(spec, crop=48)
    assert message == "mine.yaml: crop 48 leaves 4 pixels of size 100: leave at least 8"


@pytest.mark.parametrize("drops", [[92, 72], [72, 72], [1, 5, 3]])
def test_the_learning_rate_falls_at_rising_times(drops):
    assert spec(lower_rate_from=[72, 92]).lower_rate_from == (72, 92)
    assert refusal(spec, lower_rate_from=drops).endswith(f"lower_rate_from: must rise, got {drops}")


CHANGES = {
    "auxiliaries": 2,
    "plain_steps": 7,
    "early_crop": {"early_crop": 20, "early_steps": 5},
    "early_steps": {"early_crop": 20, "early_steps": 6},
    "averaging": 8.0,
    "architecture": {"architecture": "hourglass", "size": 126},
    "dimension": 32,
    "exchange": False,
    "scale": 20.0,
    "distance_power": 1.0,
    "data": {"name": "folder"},
    "size": 102,
    "crop": 16,
    "noise": "none",
    "batch": 16,
    "epochs": 99,
    "steps": {"epochs": None, "steps": 100},
    "learning_rate": 1e-2,
    "bias_lr": None,
    "weight_decay": 5e-4,
    "amsgrad": False,
    "lower_rate_from": [72],
    "precision": "auto",
    "seed": 1,
    "parent": {"parent": {"data": {"name": "synthetic"}, "epochs": 100}},
}
TOGETHER = {
    "architecture",
    "early_crop",
    "early_steps",
    "steps",
    "parent",
}  # given with what they need


@pytest.mark.parametrize("field", EmbeddingSpec.model_fields)
def test_the_digest_changes_with_every_field(field):
    change = CHANGES[field] if field in TOGETHER else {field: CHANGES[field]}
    beside = {"size": 126} if field == "architecture" else {}
    changed = spec(**change)
    assert getattr(changed, field) != getattr(spec(), field)
    assert changed.digest() != spec(**beside).digest()


@pytest.mark.parametrize("change", [{"limit": 9}, {"folder": "x"}, {"skip_bad": True}])
def test_the_digest_changes_with_the_data(change):
    assert spec(data={"name": "synthetic"} | change).digest() != spec().digest()


def test_the_digest_changes_with_versions_alone_and_their_order():
    digests = {spec().digest(*v) for v in ([], ["a"], ["b"], ["a", "b"], ["b", "a"])}
    assert len(digests) == 5


def test_the_digest_does_not_change_with_the_order_of_keys_or_written_defaults():
    written = spec().model_dump(mode="json")
    backwards = dict(reversed(written.items()))
    assert list(backwards) != list(written)
    assert validate(EmbeddingSpec, backwards, WHERE).digest() == spec().digest()


def test_a_written_specification_reads_back_the_same():
    made = spec(lower_rate_from=[72, 92], scale=20, parent=spec().model_dump(mode="json"))
    assert validate(EmbeddingSpec, made.model_dump(mode="json"), WHERE) == made


def test_labels_and_slugs_say_what_it_is():
    assert spec().label == "SmallNet 64-d with exchange"
    hourglass = spec(architecture="hourglass", size=96, crop=0, exchange=False, seed=2)
    assert hourglass.label == "Hourglass 64-d without exchange"
    assert hourglass.slug == "hourglass-64d-plain-seed2"
    row = RowSpec(architecture="hourglass", dimension=64, exchange=False, published="x")
    assert row.label == hourglass.label


@pytest.mark.parametrize("path", TABLES, ids=lambda path: path.stem)
def test_tables_name_published_experiments_of_their_kind(path):
    table = read_yaml(TableSpec, path)
    assert (ROOT / "notebooks" / f"{table.notebook}.ipynb").exists()
    named = [row.published for row in table.rows if row.published]
    assert len(set(named)) == len(named)
    assert table.published is None or set(published_numbers(table.published)) <= set(named)
    for row in table.rows:
        kind = f"{row.architecture}-{row.dimension}d{'-dve' if row.exchange else ''}"
        assert row.published is None or row.published.endswith(kind)
        assert row.published is None or ("-ft-" in row.published) == row.finetuned


@pytest.mark.parametrize("path", PROFILES, ids=lambda path: path.stem)
def test_profiles_ask_for_tables_and_embeddings_that_can_be(path):
    profile = read_yaml(ProfileSpec, path)
    for name in profile.tables:
        rows = read_yaml(TableSpec, PARAMS / f"{name}.yaml").rows
        running = [
            row
            for row in rows
            if row.architecture in profile.architectures and row.dimension in profile.dimensions
        ]
        assert running
        for row in running:
            made = profile.embedding_spec(row, profile.seeds[0], path.name)
            assert (made.architecture, made.dimension, made.exchange) == (
                row.architecture,
                row.dimension,
                row.exchange,
            )


@pytest.mark.parametrize("name", ["smoke", "quick"])
def test_profiles_without_data_load_as_they_are(name):
    study = Study.load(name)
    assert set(study.tables) == set(study.profile.tables)
    assert study.embeddings and all(study.rows.values())


@pytest.fixture
def profile(tmp_path):
    """Load the smoke profile after a change of its values, from a copy of the parameters."""
    params = shutil.copytree(PARAMS, tmp_path / "params")
    path = params / "profiles" / "mine.yaml"
    smoke = yaml.safe_load((PARAMS / "profiles" / "smoke.yaml").read_text())

    def load(change=lambda values: None, text=None):
        values = copy.deepcopy(smoke)
        change(values)
        path.write_text(yaml.safe_dump(values) if text is None else text)
        return Study.load("mine", params=params)

    load.path, load.smoke = path, smoke
    return load


@pytest.mark.parametrize(
    ("place", "values", "message"),
    [
        ((), {"titel": "x"}, "unknown key 'titel'; did you mean 'title'?"),
        ((), {"device": "tpu"}, "device: must be 'auto', 'cpu' or 'cuda', got 'tpu'"),
        ((), {"seeds": [0, 0]}, "seeds: must not repeat a value, got [0, 0]"),
        ((), {"seeds": [-1]}, "seeds.0: must be greater than or equal to 0, got -1"),
        ((), {"architectures": []}, "architectures: must not be empty, got []"),
        ((), {"tables": "learned_embeddings"}, "tables: must be a list, got 'learned_embeddings'"),
        ((), {"threads": 0}, "threads: must be greater than or equal to 1, got 0"),
        ((), {"embedding": [1]}, "embedding: must hold keys with values, got [1]"),
        (("embedding",), {"stepz": 3}, "unknown key 'embedding.stepz'; did you mean 'steps'?"),
        (("embedding",), {"scale": 0}, "embedding.scale: must be greater than 0, got 0"),
        (
            ("embedding", "data"),
            {"limt": 3},
            "unknown key 'embedding.data.limt'; did you mean 'limit'?",
        ),
        (("hourglass",), {"stepz": 3}, "unknown key 'hourglass.stepz'; did you mean 'steps'?"),
        (("hourglass",), {"scale": -1}, "hourglass.scale: must be greater than 0, got -1"),
        (("matching",), {"dta": 3}, "unknown key 'matching.dta'; did you mean 'data'?"),
        (
            ("matching", "data"),
            {"limit": 0},
            "matching.data.limit: must be greater than or equal to 1, got 0",
        ),
    ],
)
def test_a_mistake_in_a_profile_names_the_file_and_the_whole_key(profile, place, values, message):
    def change(found):
        for key in place:
            found = found[key]
        found.update(values)

    assert refusal(profile, change) == f"{profile.path}: {message}"


@pytest.mark.parametrize("key", ["architecture", "dimension", "exchange", "seed"])
@pytest.mark.parametrize("block", ["embedding", "hourglass"])
def test_what_rows_and_seeds_decide_is_no_setting_of_a_profile(profile, block, key):
    message = refusal(profile, lambda values: values[block].update({key: CHANGES[key]}))
    assert f"unknown key '{block}.{key}'; the keys are scale, " in message


def test_values_that_do_not_fit_together_name_the_profile(profile):
    message = refusal(profile, lambda values: values["embedding"].pop("steps"))
    assert message.endswith("mine.yaml: embedding: give either epochs or steps, and not both")


def test_hourglass_values_are_for_hourglasses_only(profile):
    made = profile(lambda values: values["hourglass"].update(batch=2)).embeddings.values()
    assert {(s.architecture, s.batch) for s in made} == {("smallnet", 4), ("hourglass", 2)}
    assert {s.bias_lr for s in made if s.architecture == "hourglass"} == {None}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", ": must hold keys with values"),
        ("- 1\n", ": must hold keys with values"),
        ("title: [1\n", " is not valid YAML: line 2: expected ',' or ']'"),
        ("title: x\nseeds: [0]\ntitle: y\n", " is not valid YAML: line 3: the key 'title' is"),
    ],
)
def test_a_file_that_holds_no_profile_is_named(profile, text, message):
    assert refusal(profile, text=text).startswith(f"{profile.path}{message}")


def test_a_file_that_is_no_text_is_named(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_bytes(b"title: \xff\n")
    assert refusal(read_yaml, ProfileSpec, path).startswith(f"{path} is not valid YAML: ")


def test_a_missing_file_is_answered_with_the_existing_ones(tmp_path):
    message = refusal(read_yaml, ProfileSpec, PARAMS / "profiles" / "nope.yaml")
    assert message.startswith(
        f"there is no parameter file {PARAMS}/profiles/nope.yaml; the existing"
    )
    assert all(path.stem in message for path in PROFILES)
    assert refusal(read_yaml, ProfileSpec, tmp_path / "a.yaml").endswith("ones are: none")


GROWING = {"averaging": 8.0, "epochs": None, "steps": 10}


def test_a_training_at_a_constant_rate_continues_a_shorter_one():
    short = EmbeddingSpec(data=DataSpec(name="synthetic"), **GROWING)
    long = short.model_copy(update={"steps": 20})
    assert long.continues(short)
    assert not short.continues(long) and not short.continues(short)
    assert not long.model_copy(update={"seed": 1}).continues(short)
    dropping = {"lower_rate_from": (9,)}
    assert not long.model_copy(update=dropping).continues(short.model_copy(update=dropping))
    last = {"averaging": None}
    assert not long.model_copy(update=last).continues(short.model_copy(update=last))


def test_the_recipe_says_how_an_embedding_is_trained():
    published = EmbeddingSpec(data=DataSpec(name="celeba"), epochs=100, lower_rate_from=(72, 92))
    assert published.recipe == "batch 32; learning rate 0.001, a tenth from epoch 72 and 92 on"
    small = EmbeddingSpec(data=DataSpec(name="celeba"), plain_steps=500, auxiliaries=4, **GROWING)
    assert small.recipe == (
        "batch 32; learning rate 0.001; average of all weights (exponent 8); "
        "no exchange in the first 500 steps; 4 auxiliary images"
    )
