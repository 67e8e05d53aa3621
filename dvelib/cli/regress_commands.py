"""``dve regress``: landmarks from your own labels, of a benchmark, or of the study."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from dvelib.checkpoints.pretrained import EMBEDDINGS
from dvelib.cli.options import (
    DEFAULT_STUDY,
    AnyDescriber,
    Crop,
    Data,
    Device,
    Fit,
    Force,
    Limit,
    Published,
    Seed,
    Size,
    StudyOptions,
    Weights,
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
    fit: Fit = None,
    crop: int | None = None,
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
        crop: pixels cut from each side of a square (default: as of the embedding; 0 of whole
            pictures that its training cropped)
        eyes: two landmarks, counted from 0: errors are also given in percent of their distance
    """
    from dvelib.own.landmark_learning import regress_landmarks

    trained = regress_landmarks(
        landmarks,
        embedding,
        out,
        eyes=eyes,
        fit=fit,
        crop=crop,
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
    embedding: AnyDescriber,
    published: Published = None,
    weights: Weights = None,
    data: Data = None,
    out: Path | None = None,
    annotations: int | None = None,
    epochs: int | None = None,
    batch: int | None = None,
    limit: Limit = None,
    size: Size = None,
    crop: Crop = None,
    normalise: str = "inter-ocular",
    seed: Seed = 0,
    device: Device = "auto",
) -> None:
    """Learn and test the landmarks of a dataset, with the published settings by default.

    Args:
        dataset: mafl, 300w, aflw, aflw-mtfl or synthetic
        out: folder of the result (default: regressor-DATASET in the folder of the embedding; of
            other descriptors NAME-regressor-DATASET here)
        annotations: learn from so many annotated faces alone, in warped copies (default: all)
        normalise: errors in percent of what: inter-ocular, inter-pupil or box
        epochs: passes over the faces (default: as published)
        batch: faces in a step (default: as published)
    """
    from dvelib.describers import title_of
    from dvelib.recipes import open_embedding, regress

    opened = open_embedding(embedding, published, device, weights=weights)
    few = f"{annotations}-" if annotations else ""
    name = f"regressor-{few}{dataset}"
    own = getattr(opened, "folder", None)
    folder = out or (own / name if own else Path(f"{opened.name}-{name}"))
    settings = {
        "annotations": annotations,
        "epochs": epochs,
        "batch": batch,
        "train_images": limit,
        "test_images": limit,
        "size": size,
        "crop": crop,
    }
    given = {key: value for key, value in settings.items() if value is not None}
    _, errors = regress(opened, dataset, data, folder, seed=seed, normalisation=normalise, **given)
    length = {"box": "size of the face's box"}.get(normalise, f"{normalise} distance")
    print(
        f"{title_of(opened)} on {dataset}: {errors['error']:.2f} % of the {length} "
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
