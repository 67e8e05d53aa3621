"""Training a landmark regressor on the frozen descriptors of a describer.

A finished regressor is a folder like an embedding's, with ``predictions.npy``: the landmarks that
it finds on the test faces. The order of the faces in an epoch depends on the seed and the epoch
alone, so a resumed run repeats the numbers of an uninterrupted one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from filelock import FileLock
from torch import Tensor

from dvelib.checkpoints import storage
from dvelib.checkpoints.provenance import provenance
from dvelib.checkpoints.specifications import RegressorSpec
from dvelib.common.errors import StudyError
from dvelib.common.files import atomic_path
from dvelib.data import FaceDataset
from dvelib.describers import Describer
from dvelib.describers.stored import described
from dvelib.regressor import (
    LandmarkRegressor,
    denormalise_points,
    landmark_loss,
    normalise_points,
)
from dvelib.training.loop import Loop
from dvelib.training.schedule import Schedule

__all__ = ["initial_regressor", "predict", "predict_dataset", "train_regressor"]

BATCH = 32  # faces at a time for predictions

Redraw = Callable[[int], FaceDataset]


def train_regressor(
    spec: RegressorSpec,
    describer: Describer,
    train: FaceDataset,
    test: FaceDataset,
    folder: Path | str,
    *,
    redraw: Redraw | None = None,
) -> storage.TrainedRegressor:
    """Train a regressor into ``folder``, resume it there, or load it if it is finished.

    It runs on the describer's device. ``redraw`` gives the training faces of an epoch (counted
    from zero), as many as ``train`` has, where they differ from epoch to epoch.

    Raises StudyError where the folder is another regressor's, the training faces are fewer than a
    batch, or the loss stops being finite.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / ".lock"):
        storage.claim(folder, spec)
        if not storage.finished(folder):
            if len(train) < spec.batch:
                raise StudyError(
                    f"{train.title} has {len(train)} training faces, fewer than a batch of "
                    f"{spec.batch}: give more, or lower the regressor's batch"
                )
            regressor = initial_regressor(spec, describer, train.landmarks.shape[1])
            loop = _train(spec, describer, regressor, train, folder, redraw)
            _save(spec, describer, regressor.eval(), loop, train, test)
    return storage.load_regressor(folder)


def initial_regressor(
    spec: RegressorSpec, describer: Describer, landmarks: int
) -> LandmarkRegressor:
    """A regressor on the describer's device, drawn by the seed alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(spec.seed)
        return LandmarkRegressor(
            describer.dimension, landmarks, spec.virtual_points, spec.softmax_scale
        ).to(describer.device)


def predict(regressor: LandmarkRegressor, maps: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Landmarks ``[B,A,2]`` and virtual keypoints ``[B,A,V,2]`` in pixels of the cropped image.

    ``maps [B,D,H,W]``: descriptors of images of side ``size``. The points are on the CPU.
    """
    device = regressor.reg_conv.weight.device
    with torch.inference_mode():
        return tuple(denormalise_points(p, size).cpu() for p in regressor(maps.to(device)))


def predict_dataset(
    describer: Describer, regressor: LandmarkRegressor, dataset: FaceDataset
) -> np.ndarray:
    """The landmarks found on every face: ``[N,A,2]`` float32, pixels of the cropped image."""
    with described(describer, dataset) as maps:
        parts = [predict(regressor, part, dataset.cropped_size)[0] for part in maps.split(BATCH)]
    return torch.cat(parts).numpy()


def _train(
    spec: RegressorSpec,
    describer: Describer,
    regressor: LandmarkRegressor,
    train: FaceDataset,
    folder: Path,
    redraw: Redraw | None,
) -> Loop:
    """All steps that are left; a step is a batch, and every epoch is logged."""
    optimizer = torch.optim.Adam(
        regressor.parameters(),
        lr=spec.learning_rate,
        weight_decay=spec.weight_decay,
        amsgrad=spec.amsgrad,
        fused=True,
    )
    batches = len(train) // spec.batch  # the last, incomplete batch is left out
    loop = Loop(
        folder,
        {"network": regressor},
        optimizer,
        Schedule.in_epochs(spec.epochs, batches, spec.lower_rate_from),
        device=describer.device,
        batch=spec.batch,
        log_every=batches,
        title=f"the regressor {spec.slug}",
        bar=spec.slug,
        unit="faces",
    )

    def learn(batch: tuple[Tensor, Tensor]) -> Tensor:
        maps, truth = batch
        predicted, _ = regressor(maps)
        loss = landmark_loss(predicted, truth, spec.alpha)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        return loss.detach()

    regressor.train()
    epochs = range(loop.step // batches, spec.epochs)
    loop.run(_batches(spec, describer, train, redraw, epochs), learn)
    return loop


def _batches(
    spec: RegressorSpec,
    describer: Describer,
    train: FaceDataset,
    redraw: Redraw | None,
    epochs: range,
) -> Iterator[tuple[Tensor, Tensor]]:
    """Maps ``[n,D,H,W]`` and landmarks ``[n,A,2]`` in [-1,1] of each batch, on the device."""
    device = describer.device
    for epoch, maps, truth in _epochs(describer, train, redraw, epochs):
        for index in _order(spec, len(maps), epoch):
            yield maps[index.to(maps.device)].to(device), truth[index].to(device)


def _epochs(
    describer: Describer, train: FaceDataset, redraw: Redraw | None, epochs: range
) -> Iterator[tuple[int, Tensor, Tensor]]:
    """Each epoch with its maps and landmarks; faces that do not change are described once."""
    with ExitStack() as kept:
        if redraw is None and epochs:
            maps, truth = kept.enter_context(described(describer, train)), _truth(train)
        for epoch in epochs:
            if redraw is None:
                yield epoch, maps, truth
            else:
                faces = redraw(epoch)
                with described(describer, faces) as drawn:
                    yield epoch, drawn, _truth(faces)


def _truth(faces: FaceDataset) -> Tensor:
    return normalise_points(torch.from_numpy(faces.landmarks), faces.cropped_size)


def _order(spec: RegressorSpec, faces: int, epoch: int) -> tuple[Tensor, ...]:
    """The faces of each batch of an epoch: int64 ``[batch]``."""
    mixed = spec.seed * 1_000_000_007 + epoch
    order = torch.randperm(faces, generator=torch.Generator().manual_seed(mixed))
    return order[: faces // spec.batch * spec.batch].split(spec.batch)


def _save(
    spec: RegressorSpec,
    describer: Describer,
    regressor: LandmarkRegressor,
    loop: Loop,
    train: FaceDataset,
    test: FaceDataset,
) -> None:
    """Find the landmarks of the test faces, then write everything, weights last."""
    with atomic_path(loop.folder / storage.PREDICTIONS) as path:
        np.save(path, predict_dataset(describer, regressor, test))
    made = provenance(
        describer.device,
        seconds=round(loop.seconds, 1),
        epochs=spec.epochs,
        faces_per_second=round(loop.schedule.steps * spec.batch / max(loop.seconds, 1e-9), 1),
        train=train.split_audit(),
        test=test.split_audit(),
    )
    history = pd.DataFrame(loop.history, columns=["epoch", "loss", "learning_rate"])
    history["epoch"] //= loop.log_every  # the loop counts batches
    storage.save_embedding(loop.folder, regressor, spec, made, history)
