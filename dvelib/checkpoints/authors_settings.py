"""The published experiments by name: addresses of their weights, and their training settings."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from pathlib import PurePosixPath

from dvelib.checkpoints.specifications import DataSpec, EmbeddingSpec
from dvelib.common.errors import StudyError
from dvelib.paper.numbers import published_tables

__all__ = ["ARCHITECTURES", "Experiment", "experiment", "experiments", "published_spec"]

ARCHITECTURES = {"SmallNet": "smallnet", "HourglassNet": "hourglass"}  # by the authors' classes

EMBEDDING_NAME = re.compile(
    r"((?P<benchmark>300w|aflw|aflw-mtfl)-ft-)?celeba-(?P<architecture>smallnet|hourglass)"
    r"-(?P<dimension>\d+)d(?P<exchange>-dve)?"
)
# Settings of the training on CelebA; FINETUNING replaces some for unlabelled benchmark faces.
PRETRAINING = {
    "smallnet": {
        "size": 100,
        "crop": 15,
        "batch": 32,
        "scale": None,
        "bias_lr": 1e-5,
        "epochs": 100,
        "lower_rate_from": (72, 92),
    },
    "hourglass": {
        "size": 136,
        "crop": 20,
        "batch": 16,
        "scale": 20.0,
        "bias_lr": None,
        "epochs": 100,
        "lower_rate_from": (52,),
    },
}
FINETUNING = {"scale": 20.0, "bias_lr": None, "epochs": 50, "lower_rate_from": (32, 42)}


@dataclass(frozen=True)
class Experiment:
    """A published experiment.

    ``size``: side of its images in pixels; ``crop``: pixels cut off each side. ``dataset``: the
    authors' name of the dataset. ``epoch``: the last epoch, whose weights are at ``url``.
    ``embedding``: for a landmark regressor, the experiment of its embedding; otherwise ``name``.
    """

    name: str
    url: str
    architecture: str
    dimension: int
    exchange: bool
    dataset: str
    size: int
    crop: int
    epoch: int
    embedding: str

    @property
    def is_regressor(self) -> bool:
        return self.embedding != self.name


def experiment(name: str) -> Experiment:
    """The published experiment of that name; raises StudyError suggesting a similar name."""
    known = experiments()
    if name not in known:
        listed = "they are named in dvelib/paper/published.json"
        near = get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else listed
        raise StudyError(f"there is no published experiment {name!r}: {hint}")
    return known[name]


@cache
def experiments() -> dict[str, Experiment]:
    """Every published experiment by its name."""
    rows = (row for table in published_tables().values() for row in table["rows"])
    return {row["experiment"]: _experiment(row) for row in rows}


def _experiment(row: dict) -> Experiment:
    name = row["experiment"]
    return Experiment(
        name=name,
        # The authors' pages print these addresses with one slash after the colon.
        url=re.sub(r"^(https?):/+", r"\1://", row["checkpoint_url"]),
        architecture=ARCHITECTURES[row["arch"]],
        dimension=row["dim"],
        exchange=name.endswith("-dve"),
        dataset=row["dataset"],
        size=row["imwidth"],
        crop=row["crop"],
        epoch=row["epoch"],
        embedding=PurePosixPath(row["finetune_from"]).parts[-3] if "keypoints" in name else name,
    )


def published_spec(name: str) -> EmbeddingSpec:
    """The published settings of an experiment's embedding, or of a regressor's embedding.

    Source: the authors' configurations, with the epochs at which their code lowered the learning
    rate. Raises StudyError for an unknown name.
    """
    parts = EMBEDDING_NAME.fullmatch(experiment(name).embedding)
    values = PRETRAINING[parts["architecture"]] | {
        "architecture": parts["architecture"],
        "dimension": int(parts["dimension"]),
        "exchange": parts["exchange"] is not None,
    }
    spec = EmbeddingSpec(data=DataSpec(name="celeba"), **values)
    if parts["benchmark"] is None:
        return spec
    values |= FINETUNING
    return EmbeddingSpec(data=DataSpec(name=parts["benchmark"]), parent=spec, **values)
