"""Running one training of a study, with the profile's device and number of threads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from dvelib.checkpoints.storage import Embedding, TrainedRegressor, finished, load_embedding
from dvelib.common.devices import cpu_threads, resolve_device
from dvelib.common.errors import StudyError
from dvelib.common.files import record_failure
from dvelib.study.plan import Row, Study
from dvelib.training.embeddings import train
from dvelib.training.landmark_workflow import learn_landmarks

__all__ = [
    "train_rows",
    "train_study_embedding",
    "train_study_regressor",
    "train_study_regressors",
]


def train_study_embedding(study: Study, name: str) -> Embedding:
    """Train an embedding of a study, continue its training, or load it if it is finished.

    Raises KeyError for a name that the study does not have. Raises StudyError where the training
    cannot run; ``failure.json`` in the embedding's folder then holds the reason.
    """
    spec, folder = study.embeddings[name], study.embedding_folder(name)
    with _recorded(study, folder, f"embedding {name}"):
        faces, parent = study.training_data(spec), study.parent_folder(name)
        options = {"parent": parent, "earlier": study.earlier_folder(name)}
        return train(spec, faces, folder, device=study.profile.device, **options)


def train_study_regressor(study: Study, name: str) -> TrainedRegressor:
    """Train a landmark regressor of a study, or load it if it is finished.

    Raises the same as `train_study_embedding`, and StudyError where its embedding is not trained.
    """
    spec, folder = study.regressors[name], study.regressor_folder(name)
    with _recorded(study, folder, f"regressor {name}"):
        device = resolve_device(study.profile.device)
        embedding = load_embedding(study.embedding_folder(spec.embedding), device)
        train_faces, test_faces = (study.benchmark_data(spec, split) for split in ("train", "test"))
        return learn_landmarks(spec, embedding, train_faces, test_faces, folder)


def train_study_regressors(study: Study, names: Iterable[str]) -> None:
    """Train several landmark regressors of a study one after the other; one failure stops none.

    Raises the first StudyError once all have been tried; see `train_study_regressor`.
    """
    failures = []
    for name in names:
        try:
            train_study_regressor(study, name)
        except StudyError as error:
            failures.append(error)
    if failures:
        raise failures[0]


def train_rows(study: Study, rows: Iterable[Row]) -> None:
    """Train whatever is missing of the embeddings and regressors of a table's rows.

    What an embedding starts from is trained first. Raises StudyError as the functions above do.
    """
    rows = list(rows)
    for row in rows:
        for name in row.embeddings:
            _train_with_earlier(study, name)
    names = (name for row in rows for name in row.regressors)
    train_study_regressors(study, (n for n in names if not finished(study.regressor_folder(n))))


def _train_with_earlier(study: Study, name: str) -> None:
    if finished(study.embedding_folder(name)):
        return
    for before in (study.parents, study.earlier):
        if name in before:
            _train_with_earlier(study, before[name])
    train_study_embedding(study, name)


@contextmanager
def _recorded(study: Study, folder: Path, what: str) -> Iterator[None]:
    """Use the profile's threads, and write the reason of a failure into the folder."""
    with cpu_threads(study.profile.threads):
        try:
            yield
        except StudyError as error:
            record_failure(folder, what, str(error))
            raise
