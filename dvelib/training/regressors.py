"""Training a landmark regressor on the frozen descriptors of an embedding.

A finished regressor is a folder like an embedding's, with ``predictions.npy``: the landmarks that
it finds on the test faces. The faces' order in each epoch depends on the seed and the epoch alone,
so a resumed run repeats what an uninterrupted one does.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from filelock import FileLock
from torch import Tensor

from dvelib.checkpoints import storage
from dvelib.checkpoints.specifications import RegressorSpec
from dvelib.checkpoints.storage import Embedding
from dvelib.common.errors import StudyError
from dvelib.common.files import atomic_path
from dvelib.common.progress import progress_bar
from dvelib.data import FaceDataset
from dvelib.describers.stored import described
from dvelib.regressor import (
    LandmarkRegressor,
    denormalise_points,
    landmark_loss,
    normalise_points,
)

__all__ = ["predict", "predict_dataset", "train_regressor"]

BATCH = 32  # faces at a time where nothing is learned
CHECKPOINT_SECONDS = 60


def train_regressor(
    spec: RegressorSpec,
    embedding: Embedding,
    train: FaceDataset,
    test: FaceDataset,
    folder: Path | str,
    *,
    redraw: Callable[[int], FaceDataset] | None = None,
) -> storage.TrainedRegressor:
    """Train a regressor into ``folder``, resume it there, or load it if it is finished.

    It runs where the embedding's network lives. ``redraw`` gives the training faces of an epoch
    (counted from zero) where they are not the same in all of them.

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
            run = _Run(spec, embedding, train, folder, redraw)
            run.to_the_end()
            _finish(run, test)
    return storage.load_regressor(folder)


def predict(regressor: LandmarkRegressor, maps: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Landmarks ``[B,A,2]`` and virtual keypoints ``[B,A,V,2]`` in pixels of the cropped image.

    ``maps [B,D,H,W]``: descriptors of images of that side.
    """
    device = regressor.reg_conv.weight.device
    with torch.inference_mode():
        return tuple(denormalise_points(p, size).cpu() for p in regressor(maps.to(device)))


def predict_dataset(
    embedding: Embedding, regressor: LandmarkRegressor, dataset: FaceDataset
) -> np.ndarray:
    """The landmarks found on every face: ``[N,A,2]`` float32, pixels of the cropped image."""
    with described(embedding, dataset) as maps:
        parts = [predict(regressor, part, dataset.cropped_size)[0] for part in maps.split(BATCH)]
    return torch.cat(parts).numpy()


class _Run:
    """One training from its first or its last saved epoch to its end."""

    def __init__(
        self,
        spec: RegressorSpec,
        embedding: Embedding,
        train: FaceDataset,
        folder: Path,
        redraw: Callable[[int], FaceDataset] | None,
    ):
        self.spec, self.embedding, self.train, self.folder = spec, embedding, train, folder
        self.redraw = redraw
        self.device = next(embedding.network.parameters()).device
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(spec.seed)
            self.regressor = LandmarkRegressor(
                embedding.spec.dimension,
                train.landmarks.shape[1],
                spec.virtual_points,
                spec.softmax_scale,
            ).to(self.device)
        self.optimizer = torch.optim.Adam(
            self.regressor.parameters(),
            lr=spec.learning_rate,
            weight_decay=spec.weight_decay,
            amsgrad=spec.amsgrad,
            fused=True,
        )
        self.epoch, self.seconds, self.history = 0, 0.0, []
        self._restore()

    @property
    def faces_an_epoch(self) -> int:
        """The last, incomplete batch is left out."""
        return len(self.train) // self.spec.batch * self.spec.batch

    def to_the_end(self) -> None:
        began = saved = time.monotonic()
        done, total = (n * self.faces_an_epoch for n in (self.epoch, self.spec.epochs))
        with progress_bar(total, self.spec.slug, "faces", done) as bar:
            for maps, truth in self._epochs():
                loss = self._one_epoch(maps, truth, bar)
                self.epoch += 1
                self._log(loss)
                now = time.monotonic()
                if now - saved > CHECKPOINT_SECONDS:
                    self.seconds, began, saved = self.seconds + now - began, now, now
                    self._save()
        self.seconds += time.monotonic() - began

    def _epochs(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Descriptors and landmarks for each epoch from the current one on."""
        if self.redraw is None:
            with described(self.embedding, self.train) as maps:
                truth = self._truth(self.train)
                while self.epoch < self.spec.epochs:
                    yield maps, truth
        while self.epoch < self.spec.epochs:
            faces = self.redraw(self.epoch)
            with described(self.embedding, faces) as maps:
                yield maps, self._truth(faces)

    def _truth(self, faces: FaceDataset) -> Tensor:
        return normalise_points(torch.from_numpy(faces.landmarks), faces.cropped_size)

    def _one_epoch(self, maps: Tensor, truth: Tensor, bar) -> float:
        """Mean loss of one pass over the faces in a new order."""
        rate = self.spec.learning_rate
        rate *= 0.1 ** sum(self.epoch + 1 >= at for at in self.spec.lower_rate_from)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        losses = []
        for index in self._batches(len(maps)):
            predicted, _ = self.regressor(maps[index.to(maps.device)].to(self.device))
            loss = landmark_loss(predicted, truth[index].to(self.device), self.spec.alpha)
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()
            self.optimizer.step()
            losses.append(loss.detach())
            bar.update(len(index))
        return torch.stack(losses).mean().item()

    def _batches(self, faces: int) -> list[Tensor]:
        mixed = self.spec.seed * 1_000_000_007 + self.epoch
        order = torch.randperm(faces, generator=torch.Generator().manual_seed(mixed))
        return list(order[: self.faces_an_epoch].split(self.spec.batch))

    def _log(self, loss: float) -> None:
        if not np.isfinite(loss):
            raise StudyError(
                f"the loss of the regressor {self.spec.slug} is not finite in epoch {self.epoch}: "
                f"lower its learning rate"
            )
        self.history.append((self.epoch, loss, self.optimizer.param_groups[0]["lr"]))

    def _save(self) -> None:
        state = {
            "network": self.regressor.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "epoch": self.epoch,
            "seconds": self.seconds,
            "history": self.history,
        }
        storage.save_checkpoint(self.folder, state)

    def _restore(self) -> None:
        state = storage.load_checkpoint(self.folder, self.device)
        if state is None:
            return
        self.regressor.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.epoch, self.seconds = state["epoch"], state["seconds"]
        self.history = [tuple(row) for row in state["history"]]


def _finish(run: _Run, test: FaceDataset) -> None:
    """Find the landmarks of the test faces, then write everything, weights last."""
    regressor = run.regressor.eval()
    with atomic_path(run.folder / storage.PREDICTIONS) as path:
        np.save(path, predict_dataset(run.embedding, regressor, test))
    faces = run.spec.epochs * run.faces_an_epoch
    made = storage.provenance(
        run.device,
        seconds=round(run.seconds, 1),
        epochs=run.spec.epochs,
        faces_per_second=round(faces / max(run.seconds, 1e-9), 1),
        train=run.train.split_audit(),
        test=test.split_audit(),
    )
    history = pd.DataFrame(run.history, columns=["epoch", "loss", "learning_rate"])
    storage.save_embedding(run.folder, regressor, run.spec, made, history)
