"""``dve regress``: landmarks from your own labels, of a benchmark, or of the study."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from dvelib.checkpoints.pretrained import EMBEDDINGS
from dvelib.cli.options import (
    DEFAULT_STUDY,
    Data,
    Device,
    Force,
    Limit,
    Published,
    Seed,
    StudyOptions,
    named,
    say,
)
from dvelib.common.errors import StudyError

__all__ = ["app", "benchmark", "labels", "study"]

app = App(name="regress", help="Train a landmark regressor on an embedding.")
Embedding = Annotated[
    Path,
    Parameter(
        help="embedding to learn on: its folder, or the name of a pretrained one "
        f"({', '.join(EMBEDDINGS)})"
    ),
]


@app.command
def labels(
    landmarks: Path,
    *,
    embedding: Embedding,
    out: Path | None = None,
    epochs: int | None = None,
    batch: int = 32,
    eyes: tuple[int, int] | None = None,
    seed: Seed = 0,
    device: Device = "auto",
    force: Force = False,
) -> None:
    """Learn landmarks from your own labels.

    Repeat the command to continue a training that was stopped. Fewer than 200
    labelled pictures are learned from about 2,000 warped copies, which takes a few minutes for a
    handful of landmarks.

    Args:
        landmarks: the landmarks.csv in a folder of pictures (dve annotate makes one)
        out: folder of the result (default: PICTURES-regressor, beside the folder of pictures)
        epochs: passes over the pictures (default: 50; from 200 labelled pictures on, 150)
        batch: pictures in a step
        eyes: two landmarks, counted from 0: errors are also given in percent of their distance
    """
    from dvelib.own.landmark_learning import regress_landmarks

    trained = regress_landmarks(
        landmarks,
        embedding,
        out,
        eyes=eyes,
        device=device,
        force=force,
        say=say,
        epochs=epochs,
        batch=batch,
        seed=seed,
    )
    say(f"the regressor is in {trained.folder}")


@app.command
def benchmark(
    dataset: str,
    *,
    embedding: Embedding,
    published: Published = None,
    data: Data = None,
    out: Path | None = None,
    epochs: int | None = None,
    batch: int | None = None,
    limit: Limit = None,
    seed: Seed = 0,
    device: Device = "auto",
) -> None:
    """Learn and test the landmarks of a dataset, with the published settings by default.

    Args:
        dataset: mafl, 300w, aflw, aflw-mtfl or synthetic
        out: folder of the result (default: regressor-DATASET, in the folder of the embedding)
        epochs: passes over the faces (default: as published)
        batch: faces in a step (default: as published)
    """
    from dvelib.recipes import open_embedding, regress

    opened = open_embedding(embedding, published, device)
    folder = out or opened.folder / f"regressor-{dataset}"
    settings = {"epochs": epochs, "batch": batch, "train_images": limit, "test_images": limit}
    given = {key: value for key, value in settings.items() if value is not None}
    _, errors = regress(opened, dataset, data, folder, seed=seed, **given)
    print(
        f"{opened.spec.label} on {dataset}: {errors['error']:.2f} % of the inter-ocular distance "
        f"(95 % interval over images {errors['low']:.2f} to {errors['high']:.2f}); "
        f"the mean shape {errors['mean shape']:.2f} %; the regressor is in {folder}"
    )


@app.command
def study(*names: str, options: StudyOptions = DEFAULT_STUDY) -> None:
    """Train landmark regressors of a study. Their embeddings must be trained already.

    Args:
        names: the regressors, those that dve plan lists
    """
    from dvelib.study.jobs import train_study_regressors

    plan = options.load()
    if not names:
        raise StudyError("name at least one regressor: dve plan lists them")
    for name in names:
        named(plan.regressors, name, "regressor")
    train_study_regressors(plan, names)
