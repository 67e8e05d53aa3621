"""What an embedding and a regressor are: typed, strict, and readable from YAML.

An unknown key, a value of the wrong type or out of range is an error that names the key.
"""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Literal, NamedTuple

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    model_validator,
)

from dvelib.common.parameters import read_yaml, validate
from dvelib.data import DATASETS

__all__ = [
    "ARCHITECTURES",
    "Architecture",
    "BENCHMARKS",
    "BenchmarkData",
    "DataSpec",
    "EmbeddingSpec",
    "RegressorSpec",
    "Strict",
    "network_label",
    "read_yaml",
    "validate",
]

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
Seeds = Annotated[tuple[Natural, ...], Field(strict=False, min_length=1), AfterValidator(_distinct)]
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


class ArchitectureFacts(NamedTuple):
    """``label``: for people; ``side_multiple``: the side of an input is a multiple of it."""

    label: str
    side_multiple: int


# The networks of `dvelib.networks`. A new one needs a class there and a line here.
ARCHITECTURES = {
    "smallnet": ArchitectureFacts("SmallNet", 2),
    "hourglass": ArchitectureFacts("Hourglass", 32),
}
Architecture = Literal[tuple(ARCHITECTURES)]


class EmbeddingSpec(Strict):
    """Everything that decides what an embedding will be. Defaults: SmallNet-64d on CelebA.

    ``scale``: None compares raw descriptors, a number unit vectors times it. Length and
    ``lower_rate_from`` count epochs where ``epochs`` is given and steps where ``steps`` is: the
    learning rate is divided by ten from each of those (counted from one) on. The published
    milestones act one epoch late, so 70 and 90 are written here as what they did: 72 and 92.
    ``bias_lr`` is for the biases of convolutions alone.

    Not in the paper, for small budgets: ``auxiliaries`` averages the exchange loss over so many
    auxiliary images of the batch; ``plain_steps`` trains the first so many steps without exchange;
    ``early_crop`` cuts so much from each side in the first ``early_steps`` steps, instead of
    ``crop``: small images take less time; ``averaging`` stores an average of the weights of all
    steps in place of the last ones, with weights that grow as a polynomial of that exponent (Shamir
    and Zhang, 2013).
    """

    architecture: Architecture = "smallnet"
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
    auxiliaries: Positive = 1
    plain_steps: Natural = 0
    early_crop: Positive | None = None
    early_steps: Natural = 0
    averaging: Annotated[float, Field(ge=0, le=1000)] | None = None
    seed: Natural = 0
    parent: EmbeddingSpec | None = None

    @model_validator(mode="after")
    def _check(self) -> EmbeddingSpec:
        if (self.epochs is None) == (self.steps is None):
            raise ValueError("give either epochs or steps, and not both")
        if self.auxiliaries >= self.batch:
            raise ValueError(
                f"auxiliaries {self.auxiliaries} must be fewer than the batch of {self.batch}: "
                f"they are its other images"
            )
        if (self.early_crop is None) != (self.early_steps == 0):
            raise ValueError("early_crop and early_steps: give both, or neither")
        self._check_side("crop", self.crop)
        if self.early_crop is not None:
            self._check_side("early_crop", self.early_crop)
        return self

    def _check_side(self, name: str, crop: int) -> None:
        side, multiple = self.size - 2 * crop, ARCHITECTURES[self.architecture].side_multiple
        if side < 8:
            raise ValueError(
                f"{name} {crop} leaves {side} pixels of size {self.size}: leave at least 8"
            )
        if side % multiple:
            raise ValueError(
                f"size {self.size} less twice {name} {crop} is {side} pixels, which the "
                f"{self.architecture} cannot halve evenly: it must be a multiple of {multiple}"
            )

    @property
    def label(self) -> str:
        """What people call it: SmallNet 64-d with exchange, fine-tuned."""
        name = network_label(self.architecture, self.dimension, self.exchange)
        return name + (", fine-tuned" if self.parent else "")

    @property
    def slug(self) -> str:
        """The readable part of its folder's name."""
        loss = "exchange" if self.exchange else "plain"
        finetuned = f"-on-{self.data.name}" if self.parent else ""
        return f"{self.architecture}-{self.dimension}d-{loss}{finetuned}-seed{self.seed}"

    @property
    def can_grow(self) -> bool:
        """Whether a longer training passes through this one's end.

        It does at a constant learning rate. The average of the weights makes that end a result.
        """
        return self.steps is not None and not self.lower_rate_from and self.averaging is not None

    def continues(self, shorter: EmbeddingSpec) -> bool:
        """Whether this training is the other one with more steps."""
        return (
            self.can_grow
            and shorter.steps is not None
            and shorter.steps < self.steps
            and shorter.model_copy(update={"steps": self.steps}) == self
        )

    @property
    def recipe(self) -> str:
        """How it is trained, apart from its images, its loss and its length, in words."""
        parts = [f"batch {self.batch}", f"learning rate {self.learning_rate:g}"]
        if self.lower_rate_from:
            unit = "epoch" if self.epochs else "step"
            drops = " and ".join(f"{at:,}" for at in self.lower_rate_from)
            parts[-1] += f", a tenth from {unit} {drops} on"
        if self.averaging is not None:
            parts.append(f"average of all weights (exponent {self.averaging:g})")
        if self.plain_steps:
            parts.append(f"no exchange in the first {self.plain_steps:,} steps")
        if self.early_crop:
            side = self.size - 2 * self.early_crop
            parts.append(f"crops of {side} pixels in the first {self.early_steps:,} steps")
        if self.auxiliaries > 1:
            parts.append(f"{self.auxiliaries} auxiliary images")
        return "; ".join(parts)

    def digest(self, *versions: str) -> str:
        """Ten characters that change with every value here and with the given versions.

        Values at their defaults are left out: a new field renames nothing as long as its default
        stands for the behaviour before it.
        """
        return spec_digest(self.model_dump(mode="json", exclude_defaults=True), *versions)


class RegressorSpec(Strict):
    """Everything that decides a landmark regressor on a frozen embedding. Defaults: published.

    ``embedding``: the name of its folder. ``benchmark``: whose landmarks, none for a user's own.
    ``annotations``: learn from so many pictures alone, each in many warped copies (all faces where
    it is None); ``fresh_warps``: warp them anew in each epoch, where the published study warped
    once. The learning rate is divided by ten from each epoch of ``lower_rate_from`` (counted from
    one) on. ``alpha`` multiplies the coordinates in the loss. ``crop``: pixels cut from each side
    of an image, None for the embedding's crop.
    """

    embedding: str
    benchmark: Literal[BENCHMARKS] | None = None
    data: BenchmarkData
    annotations: Positive | None = None
    fresh_warps: bool | None = None
    virtual_points: Positive = 50
    softmax_scale: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 100.0
    alpha: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 10.0
    epochs: Positive = 300
    batch: Positive = 32
    learning_rate: Rate = 1e-3
    weight_decay: Rate = 5e-4
    amsgrad: bool = True
    lower_rate_from: Rising = (102, 252)
    crop: Natural | None = None
    seed: Natural = 0

    @property
    def slug(self) -> str:
        """The readable part of its folder's name."""
        few = f"{self.annotations}-of-" if self.annotations else ""
        where = self.benchmark or self.data.folder or self.data.name
        return f"{few}{where}-{self.embedding}"

    def digest(self, *versions: str) -> str:
        """The same as `EmbeddingSpec.digest`."""
        return spec_digest(self.model_dump(mode="json", exclude_defaults=True), *versions)


def spec_digest(values: dict, *versions: str) -> str:
    """Ten hexadecimal digits of the values of a specification and of versions."""
    text = json.dumps([values, *versions], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def network_label(architecture: str, dimension: int, exchange: bool | None) -> str:
    """Name of a network to read: SmallNet 64-d with exchange; None leaves the exchange out."""
    network = ARCHITECTURES[architecture].label
    training = "" if exchange is None else " with exchange" if exchange else " without exchange"
    return f"{network} {dimension}-d{training}"
