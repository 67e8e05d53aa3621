"""Three tasks, one call each: open a describer, match points, learn landmarks.

The published settings are the defaults. Results are cached beside the embedding, so a second call
is quick.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from dvelib.checkpoints import storage
from dvelib.checkpoints.authors_settings import experiment
from dvelib.checkpoints.authors_weights import published_embedding
from dvelib.checkpoints.pretrained import named_folder
from dvelib.checkpoints.specifications import BENCHMARKS, RegressorSpec, validate
from dvelib.checkpoints.storage import Embedding, TrainedRegressor, load_embedding
from dvelib.common.devices import resolve_device
from dvelib.common.errors import StudyError
from dvelib.data import SYNTHETIC, FaceDataset, open_dataset
from dvelib.data.fetching import download
from dvelib.data.places import folder_of
from dvelib.describers import Describer, folder_name, is_describer, open_describer
from dvelib.evaluation.intervals import uncertainty
from dvelib.evaluation.landmark_errors import (
    NORMALISATIONS,
    landmark_errors,
    mean_shape_errors,
)
from dvelib.evaluation.matching_errors import matching_errors, summarise
from dvelib.training.landmark_workflow import learn_landmarks
from dvelib.training.schedule import published_drops

__all__ = ["fetch_model", "match", "open_embedding", "open_faces", "regress"]

SIZE, CROP = 100, 15  # of images for describers that are no embeddings: the published SmallNet's


def open_embedding(
    path: Path | str,
    published: str | None = None,
    device: str = "auto",
    *,
    weights: Path | str | None = None,
) -> Embedding | Describer:
    """Open an embedding, or any other describer.

    ``path``: the folder of an embedding, the name of a pretrained one, a ``.pth`` file, or a
    describer as `dvelib.describers.open_describer` takes it: ``module:function`` or the name of one
    that comes along, with its file of ``weights`` if it needs one. A published ``.pth`` file is
    converted first. ``published``: the name of its experiment, if the file's folders do not have
    it. Raises StudyError where there is no such thing.
    """
    if is_describer(str(path)):
        return open_describer(str(path), device=device, weights=weights)
    if weights is not None:
        raise StudyError(f"{path} is an embedding and takes no other weights: leave them out")
    path, device = named_folder(path), resolve_device(device)
    if path.suffix != ".pth":
        if published is not None:
            raise StudyError(f"{path} is no .pth file: leave out which experiment it is")
        return load_embedding(path, device)
    embedding = published_embedding(path, published)
    embedding.folder.mkdir(exist_ok=True)
    storage.save_embedding(
        embedding.folder,
        embedding.network,
        embedding.spec,
        embedding.provenance,
        embedding.history,
    )
    return load_embedding(embedding.folder, device)


MOST_WEIGHTS = 2**30  # bytes of a published file; the largest has 0.2 GiB


def fetch_model(name: str, folder: Path | str) -> Path:
    """Download a published experiment's weights into ``folder/<name>`` and convert them.

    Returns the ``.pth`` file. No hash of it was published: a file that cannot be read as that
    experiment is deleted again. Raises StudyError for an unknown name, where no source has the
    file, and for a file that is something else.
    """
    facts = experiment(name)
    file = Path(folder) / name / Path(facts.url).name
    if found := file.exists():
        print(f"{file} is there already", flush=True)
    else:
        # No hash was published, so only https shows that the file is the authors'.
        url = facts.url.replace("http://", "https://", 1)
        remedy = f"get it elsewhere and put it at {file}, then ask again"
        download(file, None, [url], remedy, MOST_WEIGHTS)
    try:
        open_embedding(file, name, "cpu")
    except StudyError:
        if not found:
            file.unlink()
        raise
    return file


def open_faces(
    describer: Describer,
    name: str,
    data_root: Path | str | None,
    split: str,
    limit: int | None = None,
    *,
    size: int | None = None,
    crop: int | None = None,
) -> FaceDataset:
    """A split of a dataset at the size that an embedding was trained for.

    ``data_root``: the folder that holds the datasets, each in its place (see
    `dvelib.data.places`). ``size`` and ``crop``: others than the embedding's; any other describer
    has the published ones of a SmallNet, 100 and 15 pixels.
    """
    root = None
    if name not in SYNTHETIC:
        if data_root is None:
            raise StudyError(f"{name} needs the folder that holds the datasets: name it (--data)")
        root = Path(data_root) / folder_of(name)
    known = getattr(describer, "spec", None)
    size = size or (known.size if known else SIZE)
    crop = crop if crop is not None else (known.crop if known else CROP)
    return open_dataset(name, root, split, size=size, crop=crop, limit=limit)


def match(
    describer: Describer | Path | str,
    name: str,
    data_root: Path | str | None = None,
    limit: int | None = None,
    **sizes: int,
) -> pd.DataFrame:
    """Mean matching errors on a dataset's test faces, pixels of a 70-px face.

    ``describer``: one, or what `open_embedding` opens.

    A line for each protocol and setting; columns descriptors, perfect features, same place.
    ``sizes``: size and crop, as in `open_faces`.
    """
    describer = _opened(describer)
    faces = open_faces(describer, name, data_root, "test", limit, **sizes)
    return summarise(matching_errors(describer, faces))


def regress(
    describer: Describer | Path | str,
    name: str,
    data_root: Path | str | None,
    folder: Path | str,
    *,
    train_images: int | None = None,
    test_images: int | None = None,
    size: int | None = None,
    crop: int | None = None,
    normalisation: str = NORMALISATIONS[0],
    **settings: object,
) -> tuple[TrainedRegressor, pd.Series]:
    """Learn a benchmark's landmarks on a describer, and test them.

    ``describer``: one, or what `open_embedding` opens. ``size``, ``crop``: as in `open_faces`.
    ``settings``: values of `RegressorSpec`, published ones by default; another number of ``epochs``
    moves the published drops of the learning rate to the same part of the training. Returns the
    regressor, which is in ``folder``, and error, low, high (95 % bootstrap over test images) and
    the error of the mean shape: percent of the inter-ocular distance, or of another length by
    ``normalisation`` (see `dvelib.evaluation.landmark_errors.normalising_length`). Raises
    StudyError for impossible values, and as `train_regressor` does.
    """
    describer = _opened(describer)
    if "epochs" in settings:
        settings = {"lower_rate_from": published_drops(settings["epochs"])} | settings
    data = {"name": name, "train_images": train_images, "test_images": test_images}
    values = {
        "embedding": folder_name(describer),
        "benchmark": name if name in BENCHMARKS else None,
        "data": data,
    }
    spec = validate(RegressorSpec, values | settings, "the regressor")
    sizes = {"size": size, "crop": crop}
    train = open_faces(describer, name, data_root, "train", train_images, **sizes)
    test = open_faces(describer, name, data_root, "test", test_images, **sizes)
    trained = learn_landmarks(spec, describer, train, test, folder)
    return trained, _errors(trained, train, test, normalisation)


def _opened(describer: Describer | Path | str) -> Describer:
    return open_embedding(describer) if isinstance(describer, str | Path) else describer


def _errors(
    trained: TrainedRegressor, train: FaceDataset, test: FaceDataset, normalisation: str
) -> pd.Series:
    ours, trivial = (
        np.nanmean(errors, axis=1)
        for errors in (
            landmark_errors(trained.predicted, test, normalisation),
            mean_shape_errors(train, test, normalisation),
        )
    )
    low, high = uncertainty(pd.Series(ours))
    means = {"error": float(ours.mean()), "low": low, "high": high}
    return pd.Series(means | {"mean shape": float(trivial.mean())})
