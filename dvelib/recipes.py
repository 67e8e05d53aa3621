"""Three things people do with the study's parts, each one call: fetch, match, regress.

The published settings are the defaults. What is measured is kept beside the embedding, so that
asking again costs nothing.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import torch

from dvelib.checkpoints import storage
from dvelib.checkpoints.authors_settings import experiment
from dvelib.checkpoints.authors_weights import published_embedding
from dvelib.checkpoints.pretrained import named_folder
from dvelib.checkpoints.specifications import BENCHMARKS, BenchmarkData, RegressorSpec
from dvelib.checkpoints.storage import Embedding, TrainedRegressor, load_embedding
from dvelib.common.errors import StudyError
from dvelib.data import SYNTHETIC, FaceDataset, open_dataset
from dvelib.data.fetching import download
from dvelib.evaluation.intervals import uncertainty
from dvelib.evaluation.matching_errors import matching_errors, summarise
from dvelib.matching import inter_ocular_error
from dvelib.training.embeddings import resolve_device
from dvelib.training.few_annotations import annotated_faces
from dvelib.training.regressors import train_regressor

__all__ = ["FOLDERS", "fetch_model", "match", "open_embedding", "open_faces", "regress"]

# Where datasets lie below the folder that holds them all.
FOLDERS = {
    "celeba": "celeba",
    "mafl": "celeba",
    "300w": "300w",
    "300w-bicubic": "300w",
    "aflw": "aflw/aflw_release-2",
    "aflw-mtfl": "aflw-mtfl",
}


def open_embedding(
    path: Path | str, published: str | None = None, device: str = "auto"
) -> Embedding:
    """Open an embedding by its folder, by the name of a pretrained one, or from a ``.pth`` file.

    A published ``.pth`` file is converted first.

    ``published``: which experiment it is, where the file's folders do not say so.
    Raises StudyError where there is neither.
    """
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


def fetch_model(name: str, folder: Path | str) -> Path:
    """Download a published experiment's weights into ``folder/<name>`` and convert them.

    Returns the ``.pth`` file. No hash of it was published: it is kept once it has been read as
    what it should be. Raises StudyError for a name that is unknown, where no source serves it, and
    where what came is something else.
    """
    facts = experiment(name)
    file = Path(folder) / name / Path(facts.url).name
    if found := file.exists():
        print(f"{file} is there already", flush=True)
    else:
        urls = (facts.url.replace("http://", "https://", 1), facts.url)
        download(file, None, urls, f"get it elsewhere and put it at {file}, then ask again")
    try:
        open_embedding(file, name, "cpu")
    except StudyError:
        if not found:
            file.unlink()
        raise
    return file


def open_faces(
    embedding: Embedding,
    name: str,
    data_root: Path | str | None,
    split: str,
    limit: int | None = None,
) -> FaceDataset:
    """A split of a dataset at the size that an embedding was trained for.

    ``data_root``: the folder that holds the datasets, each in its place (see `FOLDERS`).
    """
    spec, root = embedding.spec, None
    if name not in SYNTHETIC:
        if data_root is None:
            raise StudyError(f"{name} needs the folder that holds the datasets: name it (--data)")
        root = Path(data_root) / FOLDERS.get(name, name)
    return open_dataset(name, root, split, size=spec.size, crop=spec.crop, limit=limit)


def match(
    embedding: Embedding,
    name: str,
    data_root: Path | str | None = None,
    limit: int | None = None,
) -> pd.DataFrame:
    """Mean matching errors on a dataset's test faces, pixels of a 70-px face.

    A line a protocol and setting; columns descriptors, perfect features, same place.
    """
    faces = open_faces(embedding, name, data_root, "test", limit)
    return summarise(matching_errors(embedding, faces))


def regress(
    embedding: Embedding,
    name: str,
    data_root: Path | str | None,
    folder: Path | str,
    *,
    train_images: int | None = None,
    test_images: int | None = None,
    **settings: object,
) -> tuple[TrainedRegressor, pd.Series]:
    """Learn a benchmark's landmarks on a frozen embedding, and test them.

    ``settings``: values of `RegressorSpec`, published ones by default. Returns the regressor, kept
    in ``folder``, and error, low, high (95 % bootstrap over test images) and mean shape's error:
    percent of the inter-ocular distance.
    """
    data = BenchmarkData(name=name, train_images=train_images, test_images=test_images)
    benchmark = name if name in BENCHMARKS else None
    spec = RegressorSpec(
        embedding=embedding.folder.name, benchmark=benchmark, data=data, **settings
    )
    train = open_faces(embedding, name, data_root, "train", train_images)
    test = open_faces(embedding, name, data_root, "test", test_images)
    shown, redraw = annotated_faces(spec, train)
    trained = train_regressor(spec, embedding, shown, test, folder, redraw=redraw)
    return trained, _errors(trained, train, test)


def _errors(trained: TrainedRegressor, train: FaceDataset, test: FaceDataset) -> pd.Series:
    truth = torch.from_numpy(test.landmarks)
    shape = torch.from_numpy(train.landmarks).nanmean(0).expand_as(truth)
    ours, trivial = (
        inter_ocular_error(points, truth, test.eyes).nanmean(1)
        for points in (trained.predicted, shape)
    )
    low, high = uncertainty(pd.Series(ours.numpy()))
    return pd.Series(
        {
            "error": ours.mean().item(),
            "low": low,
            "high": high,
            "mean shape": trivial.mean().item(),
        }
    )
