"""Learning landmarks, from faces to a finished regressor: the one way of all commands.

The study's plan, a benchmark on any describer and a user's own pictures differ in where their
faces come from. All of them pick the annotated faces, train on them and test here.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dvelib.checkpoints import storage
from dvelib.checkpoints.specifications import RegressorSpec
from dvelib.checkpoints.storage import TrainedRegressor
from dvelib.data import FaceDataset
from dvelib.describers import Describer
from dvelib.training.few_annotations import annotated_faces, warped_copies
from dvelib.training.regressors import train_regressor

__all__ = ["learn_landmarks"]


def learn_landmarks(
    spec: RegressorSpec,
    describer: Describer,
    train: FaceDataset,
    test: FaceDataset,
    folder: Path | str,
    *,
    copies: int = 1,
) -> TrainedRegressor:
    """Train a regressor into ``folder``, resume it there, or load it if it is finished.

    It learns from the faces of ``train`` that ``spec.annotations`` picks (see
    `dvelib.training.few_annotations`), all of them if it is None; ``copies``: or from so many
    warped copies of all of them. Its ``predicted`` are the landmarks found on ``test``.
    Raises StudyError as `train_regressor` does, and where there are fewer faces than
    ``spec.annotations``.
    """
    shown, redraw = train, None
    if storage.finished(Path(folder)):
        pass  # nothing is learned from the faces any more
    elif copies > 1:
        shown = warped_copies(train, np.arange(len(train)), copies, spec.seed)
    else:
        shown, redraw = annotated_faces(spec, train)
    return train_regressor(spec, describer, shown, test, folder, redraw=redraw)
