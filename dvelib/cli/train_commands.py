"""``dve train``: an embedding of your own pictures, or of the study."""

from __future__ import annotations

from pathlib import Path

from cyclopts import App

from dvelib.cli.options import (
    DEFAULT_STUDY,
    Device,
    Every,
    Fit,
    Force,
    Images,
    Seed,
    StudyOptions,
    named,
    pictures_of,
    say,
)

__all__ = ["app", "images", "study"]

app = App(name="train", help="Train an embedding on pictures, without labels.")


@app.command
def images(
    images: Images,
    *,
    every: Every = 1,
    out: Path | None = None,
    parent: Path | None = None,
    architecture: str | None = None,
    dimension: int | None = None,
    fit: Fit = None,
    size: int | None = None,
    crop: int | None = None,
    recipe: str = "small-budget",
    steps: int = 5000,
    batch: int = 8,
    seed: Seed = 0,
    device: Device = "auto",
    force: Force = False,
) -> None:
    """Train an embedding on your own pictures.

    Repeat the command to continue a training that was stopped; repeat it with more --steps to make
    a finished one longer. The defaults take half an hour to an hour on two cores.

    Recipes: small-budget averages the weights of all steps at a constant learning rate, and sees
    the first 4,000 pairs without exchange; published lowers the rate to a tenth in the last fifth
    of the steps. The rate is 1e-3 times the square root of batch/32.

    Args:
        images: folder of the pictures, picture files, or a video; or tar files of pictures
            (shards), which are read as a stream: a folder of tar files, a pattern such as
            "shards/{000..099}.tar", or an address
        out: folder of the result (default: IMAGES-embedding, beside the pictures)
        parent: embedding to start from: its folder, or the name of a pretrained one
        architecture: the network: smallnet or hourglass (default: smallnet, or the parent's)
        dimension: length of a descriptor (default: 64, or the parent's)
        size: side of the squares, pixels (default: 100; hourglass 136; of whole pictures
            70; hourglass 96)
        crop: pixels cut from each side of a square (default: 15 % of the size; of whole pictures 0)
        recipe: how it learns: small-budget or published
        steps: steps of training
        batch: pairs of views in a step
    """
    from dvelib.data.shards import is_sharded
    from dvelib.own.embedding_training import train_embedding

    is_stream = len(images) == 1 and is_sharded(images[0])
    trained = train_embedding(
        images[0] if is_stream else pictures_of(images, every),
        out,
        parent=parent,
        device=device,
        force=force,
        say=say,
        architecture=architecture,
        dimension=dimension,
        fit=fit,
        size=size,
        crop=crop,
        recipe=recipe,
        steps=steps,
        batch=batch,
        seed=seed,
    )
    say(f"the embedding is in {trained.folder}")


@app.command
def study(name: str, *, options: StudyOptions = DEFAULT_STUDY) -> None:
    """Train an embedding of a study.

    Repeat the command to continue a training that was stopped. On N GPUs:
    torchrun --nproc-per-node N -m dvelib.cli train study NAME.

    Args:
        name: the embedding, one that dve plan lists
    """
    from dvelib.study.jobs import train_study_embedding

    plan = options.load()
    named(plan.embeddings, name, "embedding")
    train_study_embedding(plan, name)
