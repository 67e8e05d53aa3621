"""What made the numbers of a table: images, trainings, time and hardware, typed.

These models are parts of `dvelib.tables.results.TableResults`; `made_facts` says them in words.
"""

from __future__ import annotations

from typing import Annotated, TypeVar

from pydantic import Field

from dvelib.checkpoints.specifications import Strict
from dvelib.common.markup import data_name, data_text, deviation

__all__ = [
    "DataAudit",
    "ImagesUsed",
    "Made",
    "Many",
    "Range",
    "RegressorTraining",
    "RowTraining",
    "Training",
    "made_facts",
]

T = TypeVar("T")
# JSON has lists and no tuples.
Many = Annotated[tuple[T, ...], Field(strict=False)]


class PartCount(Strict):
    """Images of a part of a split: on disk, and in the published split."""

    found: int
    published: int


class OutsideCount(Strict):
    """Landmarks outside the cropped image, and images that have such."""

    landmarks: int
    images: int


class SharedCount(Strict):
    """Images and identities that both splits hold, None where that is not known."""

    images: int | None
    identities: int | None


class DataAudit(Strict):
    """A split as it is on disk beside the published one; see `dvelib.data.audit.split_audit`."""

    dataset: str
    split: str
    images: int
    published: int | None
    complete: bool
    stand_in: str | None
    parts: dict[str, PartCount] = {}
    skipped: Many[str] = ()
    missing: Many[str] = ()
    duplicates: int | None = None
    outside: OutsideCount | None = None
    shared_with_other_split: SharedCount | None = None
    digest: str = ""
    mafl_images: int | None = None

    @property
    def text(self) -> str:
        """The dataset, the split, how many images, and how they differ from the published ones."""
        return data_text(self.model_dump())

    @property
    def name(self) -> str:
        """The dataset, and in brackets how its images differ from the published ones."""
        return data_name(self.model_dump())

    @property
    def deviation(self) -> str:
        """How the images differ from the published ones, in brackets, or nothing."""
        return deviation(self.model_dump())


class ImagesUsed(Strict):
    """Images of one dataset that trainings used."""

    dataset: str
    images: int


class Range(Strict):
    """The smallest and the largest value of several trainings."""

    low: float
    high: float

    def text(self, form: str) -> str:
        """Both values in a format such as ``"{:.0f} pairs"``, or one where they look the same."""
        low, high = form.format(self.low), form.format(self.high)
        return low if low == high else f"{low} to {high}"


class Training(Strict):
    """How all embeddings of the table were trained.

    ``size`` and ``cropped_size``: sides of an image in pixels; ``batch``: pairs in a step;
    ``seconds``: of all trainings, one after the other; ``commit``: of the code, None if unknown.
    """

    trained_on: Many[ImagesUsed]
    finetuned_on: Many[ImagesUsed] = ()
    size: int
    cropped_size: int
    pairs: Range
    steps: Range
    batch: int
    pairs_per_second: Range
    seconds: float
    hardware: str
    precision: str
    recipe: str | None = None
    seeds: Many[int]
    versions: dict[str, str | None]
    commit: str | None

    @property
    def trained_on_text(self) -> str:
        """The datasets of the first trainings and their counts."""
        return _images_text(self.trained_on)


class RegressorTraining(Strict):
    """How all regressors of the table were trained.

    ``test_images_seen_by_embeddings`` and ``..._by_regressors``: how many test images were among
    the training images.
    """

    virtual_points: int
    epochs: int
    batch: int
    faces_per_second: Range
    seconds: float
    test_images_seen_by_embeddings: int
    test_images_seen_by_regressors: int

    @property
    def text(self) -> str:
        """What one regressor is and how long it trained."""
        return (
            f"{self.virtual_points} virtual keypoints a landmark, {self.epochs} epochs in batches "
            f"of {self.batch}"
        )


class RowTraining(Strict):
    """How the embeddings of a row were trained, one for each seed.

    ``pairs`` and ``steps`` are those of one embedding. The training that a fine-tuned embedding
    started from is not counted. ``seconds`` and ``processor_hours`` are sums over the seeds: hours
    of processor threads, or of GPUs where those trained. ``recipe``: `EmbeddingSpec.recipe`.
    ``precision``: of the network's arithmetic. None where it is not known.
    """

    pairs: int
    steps: int
    recipe: str | None = None
    precision: str | None = None
    seconds: float | None = None
    processor_hours: float | None = None


class Made(Strict):
    """What made the numbers of the table."""

    training: Training
    regressors: RegressorTraining | None = None


def made_facts(
    made: Made, profile: str, measured_on: DataAudit, learned_on: DataAudit | None
) -> dict[str, str]:
    """What made the numbers of a table, name by name, to read.

    ``profile``: its name and description.
    """
    facts = {"Profile": profile, **_training_facts(made.training)}
    if learned_on is None or made.regressors is None:
        return facts | {"Matched on": measured_on.text}
    return facts | {
        "Landmarks learned on": learned_on.text,
        "Landmarks tested on": measured_on.text,
        **_regressor_facts(made.regressors),
    }


def _training_facts(training: Training) -> dict[str, str]:
    facts = {"Trained on": training.trained_on_text}
    if training.finetuned_on:
        facts["Fine-tuned on"] = _images_text(training.finetuned_on)
    return facts | {
        "Image size": f"{training.size} px, cropped to {training.cropped_size}",
        "Training of each": training.pairs.text("{:,.0f} pairs"),
        "Steps of each": training.steps.text("{:,.0f} steps"),
        "Recipe": training.recipe or f"batch {training.batch}",
        "Speed": training.pairs_per_second.text("{:.0f} pairs/s"),
        "Time in all": f"{training.seconds / 60:.1f} minutes of training",
        "Hardware": training.hardware,
        "Precision": training.precision,
        "Seeds": ", ".join(map(str, training.seeds)),
        "Versions": ", ".join(f"{name} {version}" for name, version in training.versions.items()),
        "Commit": training.commit or "unknown",
    }


def _images_text(used: tuple[ImagesUsed, ...]) -> str:
    return "; ".join(f"{data.dataset}, {data.images:,} images" for data in used)


def _regressor_facts(regressors: RegressorTraining) -> dict[str, str]:
    return {
        "Test images seen in training": (
            f"{regressors.test_images_seen_by_embeddings} by the embeddings, "
            f"{regressors.test_images_seen_by_regressors} by the regressors"
        ),
        "Regressors": regressors.text,
        "Speed of regressors": regressors.faces_per_second.text("{:,.0f} faces/s"),
        "Time of regressors": f"{regressors.seconds / 60:.1f} minutes in all",
    }
