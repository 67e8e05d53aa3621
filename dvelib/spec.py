"""What an embedding, a regressor, a table and a profile are: typed, strict, readable from YAML.

An unknown key, a value of the wrong type or out of range is an error that names the key.
"""

from __future__ import annotations

import hashlib
import json
from copy import copy
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    create_model,
    model_validator,
)

from dvelib.data import DATASETS
from dvelib.networks import side_multiple
from dvelib.parameters import read_yaml, validate

__all__ = [
    "BENCHMARKS", "BenchmarkData", "DataSpec", "EmbeddingSpec", "ProfileSpec", "RegressorSpec",
    "RowSpec", "TableSpec", "read_yaml", "validate",
]  # fmt: skip

# Where landmarks are regressed, by the names that tables and profiles use.
BENCHMARKS = ("mafl", "300w", "aflw", "aflw-mtfl")


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


def _known_dataset(name: str) -> str:
    if name not in DATASETS:
        raise ValueError(f"must be one of {', '.join(DATASETS)}")
    return name


def _distinct(values: tuple) -> tuple:
    if len(set(values)) < len(values):
        raise ValueError("must not repeat a value")
    return values


def _rising(values: tuple) -> tuple:
    if list(values) != sorted(set(values)):
        raise ValueError("must rise")
    return values


Positive = Annotated[int, Field(ge=1)]
Natural = Annotated[int, Field(ge=0)]
Rate = Annotated[float, Field(ge=0, le=10)]
Rising = Annotated[tuple[Positive, ...], Field(strict=False), AfterValidator(_rising)]


class DataSpec(Strict):
    """Which images: a dataset's name, its folder below data_root, at most how many."""

    name: Annotated[str, AfterValidator(_known_dataset)]
    folder: str | None = None
    limit: Positive | None = None
    skip_bad: bool = False


class BenchmarkData(Strict):
    """The faces that landmarks are learned and tested on; at most so many of each split."""

    name: Annotated[str, AfterValidator(_known_dataset)]
    folder: str | None = None
    train_images: Positive | None = None
    test_images: Positive | None = None
    skip_bad: bool = False

    def of(self, split: str) -> DataSpec:
        """The images of a split."""
        limit = self.train_images if split == "train" else self.test_images
        return DataSpec(name=self.name, folder=self.folder, limit=limit, skip_bad=self.skip_bad)


class EmbeddingSpec(Strict):
    """Everything that decides what an embedding will be. Defaults: SmallNet-64d on CelebA.

    ``scale``: None compares raw descriptors, a number unit vectors times it. Length and
    ``lower_rate_from`` count epochs where ``epochs`` is given and steps where ``steps`` is: the
    learning rate is divided by ten from each of those (counted from one) on. The published
    milestones act one epoch late, so 70 and 90 are written here as what they did: 72 and 92.
    ``bias_lr`` is for the biases of convolutions alone.
    """

    architecture: Literal["smallnet", "hourglass"] = "smallnet"
    dimension: Annotated[int, Field(ge=1, le=1024)] = 64
    exchange: bool = True
    scale: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    distance_power: Annotated[float, Field(gt=0, le=4)] = 0.5
    data: DataSpec
    size: Annotated[int, Field(ge=16, le=1024)] = 100
    crop: Natural = 15
    noise: Literal["published", "colour", "none"] = "published"
    batch: Annotated[int, Field(ge=2)] = 32
    epochs: Positive | None = None
    steps: Positive | None = None
    learning_rate: Rate = 1e-3
    bias_lr: Rate | None = 1e-5
    weight_decay: Rate = 0.0
    amsgrad: bool = True
    lower_rate_from: Rising = ()
    precision: Literal["auto", "float32", "bfloat16"] = "float32"
    seed: Natural = 0
    parent: EmbeddingSpec | None = None

    @model_validator(mode="after")
    def _check(self) -> EmbeddingSpec:
        if (self.epochs is None) == (self.steps is None):
            raise ValueError("give either epochs or steps, and not both")
        side = self.size - 2 * self.crop
        if side < 8:
            raise ValueError(
                f"crop {self.crop} leaves {side} pixels of size {self.size}: leave at least 8"
            )
        if side % side_multiple(self.architecture):
            raise ValueError(
                f"size {self.size} less twice crop {self.crop} is {side} pixels, which the "
                f"{self.architecture} cannot halve evenly: it must be a multiple of "
                f"{side_multiple(self.architecture)}"
            )
        return self

    @property
    def label(self) -> str:
        """What people call it: SmallNet 64-d with exchange."""
        return _label(self)

    @property
    def slug(self) -> str:
        """The readable part of its folder's name."""
        loss = "exchange" if self.exchange else "plain"
        return f"{self.architecture}-{self.dimension}d-{loss}-seed{self.seed}"

    def digest(self, *versions: str) -> str:
        """Ten characters that change with any value here and with the given versions."""
        return _spec_digest(self.model_dump(mode="json"), *versions)


class RegressorSpec(Strict):
    """Everything that decides a landmark regressor on a frozen embedding. Defaults: published.

    ``embedding``: the name of its folder. The learning rate is divided by ten from each epoch of
    ``lower_rate_from`` (counted from one) on. ``alpha`` multiplies the coordinates in the loss.
    """

    embedding: str
    benchmark: Literal[BENCHMARKS]
    data: BenchmarkData
    virtual_points: Positive = 50
    softmax_scale: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 100.0
    alpha: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 10.0
    epochs: Positive = 300
    batch: Positive = 32
    learning_rate: Rate = 1e-3
    weight_decay: Rate = 5e-4
    amsgrad: bool = True
    lower_rate_from: Rising = (102, 252)
    seed: Natural = 0

    @property
    def slug(self) -> str:
        """The readable part of its folder's name."""
        return f"{self.benchmark}-{self.embedding}"

    def digest(self, *versions: str) -> str:
        """Ten characters that change with any value here and with the given versions."""
        return _spec_digest(self.model_dump(mode="json", exclude_none=True), *versions)


def _spec_digest(values: dict, *versions: str) -> str:
    text = json.dumps([values, *versions], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:10]


class RowSpec(Strict):
    """One row of a table: which embedding, and its experiment among the published ones, if any.

    ``finetuned``: the embedding went on learning, without labels, on the table's own benchmark.
    """

    architecture: Literal["smallnet", "hourglass"]
    dimension: Positive
    exchange: bool
    finetuned: bool = False
    published: str | None = None

    @property
    def label(self) -> str:
        return _label(self) + (", fine-tuned" if self.finetuned else "")


def _label(which: EmbeddingSpec | RowSpec) -> str:
    network = {"smallnet": "SmallNet", "hourglass": "Hourglass"}[which.architecture]
    return f"{network} {which.dimension}-d {'with' if which.exchange else 'without'} exchange"


class TableSpec(Strict):
    """One table of the paper: ``params/<table>.yaml``. ``benchmark``: whose landmarks it regresses,
    none for a table of matching errors."""

    notebook: str
    title: str
    published: str
    claim: str
    benchmark: Literal[BENCHMARKS] | None = None
    rows: Annotated[tuple[RowSpec, ...], Field(strict=False, min_length=1)]


class MatchingSpec(Strict):
    """What matching is measured on; size and crop are the embedding's own."""

    data: DataSpec


def _partial(model: type[BaseModel], without: set[str]) -> type[BaseModel]:
    """The model with every field optional, so that each value is checked where it stands."""
    fields = {}
    for name, known in model.model_fields.items():
        if name not in without:
            fields[name] = (known.annotation, field := copy(known))
            field.default = None
    return create_model("Partial" + model.__name__, __base__=Strict, **fields)


# What the rows of the tables and the seeds of the profile decide is no setting.
Settings = _partial(EmbeddingSpec, without={"architecture", "dimension", "exchange", "seed"})
RegressorSettings = _partial(RegressorSpec, without={"embedding", "benchmark", "data", "seed"})


class BenchmarkSpec(Strict):
    """What a profile puts in the place of a benchmark, and how regressors differ there.

    ``stand_in`` says, by split, what the images are where they are not the published ones.
    """

    data: BenchmarkData
    stand_in: dict[Literal["train", "test"], str] = {}
    settings: RegressorSettings = RegressorSettings()


class ProfileSpec(Strict):
    """What one run of the study shares: ``params/profiles/<profile>.yaml``.

    ``embedding`` holds values of `EmbeddingSpec` for all embeddings; ``hourglass`` values that
    differ for hourglasses; ``regressor`` values of `RegressorSpec` for all benchmarks.
    ``architectures`` and ``dimensions`` choose which rows of the tables run. ``threads``: CPU
    threads of one training; trainings fill the machine side by side.
    """

    title: str
    description: str
    tables: Annotated[tuple[str, ...], Field(strict=False, min_length=1)]
    architectures: Annotated[
        tuple[Literal["smallnet", "hourglass"], ...], Field(strict=False, min_length=1)
    ]
    dimensions: Annotated[tuple[Positive, ...], Field(strict=False, min_length=1)]
    seeds: Annotated[
        tuple[Natural, ...], Field(strict=False, min_length=1), AfterValidator(_distinct)
    ] = (0,)
    embedding: Settings
    hourglass: Settings = Settings()
    matching: MatchingSpec
    regressor: RegressorSettings = RegressorSettings()
    benchmarks: dict[Literal[BENCHMARKS], BenchmarkSpec] = {}
    device: Literal["auto", "cpu", "cuda"] = "auto"
    threads: Positive = 1

    def embedding_spec(self, row: RowSpec, seed: int, where: str) -> EmbeddingSpec:
        """The specification of a row's embedding under this profile.

        Raises StudyError naming the place and the key where the profile's values are wrong.
        """
        values = self.embedding.model_dump(exclude_unset=True)
        if row.architecture == "hourglass":
            values |= self.hourglass.model_dump(exclude_unset=True)
        values |= row.model_dump(exclude={"published", "finetuned"}) | {"seed": seed}
        return validate(EmbeddingSpec, values, where)

    def regressor_spec(
        self, benchmark: str, embedding: str, seed: int, where: str
    ) -> RegressorSpec:
        """The specification of a regressor on an embedding under this profile.

        Raises StudyError naming the place and the key where the profile's values are wrong.
        """
        chosen = self.benchmarks[benchmark]
        values = self.regressor.model_dump(exclude_unset=True)
        values |= chosen.settings.model_dump(exclude_unset=True)
        values |= {"embedding": embedding, "benchmark": benchmark, "seed": seed}
        return validate(RegressorSpec, values | {"data": chosen.data.model_dump()}, where)
