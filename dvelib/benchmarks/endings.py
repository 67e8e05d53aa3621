"""The end of training on our loss, beside the end of training on the plain one.

The same small network is trained from each seed by either form of the loss, from the same first
weights on the same pairs. The forms differ by roundings alone, but training enlarges them. So the
question is whether the ends of the two forms differ by more than those of two seeds. A control
shows that the experiment can see a difference: a loss of the same value without one of its
gradients.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pandas as pd
import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import MultiStepLR
from tqdm import tqdm

from dvelib import losses
from dvelib.benchmarks import plain
from dvelib.benchmarks.comparisons import OURS
from dvelib.benchmarks.steps import first_step
from dvelib.checkpoints.specifications import DataSpec, EmbeddingSpec
from dvelib.checkpoints.storage import Embedding
from dvelib.common.progress import progress_bar
from dvelib.data import FaceDataset, open_dataset
from dvelib.evaluation.matching_errors import (
    METHODS,
    PROTOCOLS,
    SETTINGS,
    matching_errors,
    summarise,
)
from dvelib.training.batches import device_batches
from dvelib.training.embedding_step import Loss, training_pair

__all__ = ["CONTROL", "FORMS", "MEASURES", "PLAIN", "by_seed", "ends", "gaps", "sentences"]

PLAIN = "one sample at a time"
CONTROL = "without the auxiliary's gradient"
FORMS = {
    OURS: losses.exchange_loss,
    PLAIN: plain.exchange_loss,
    CONTROL: partial(plain.batched_exchange_loss, auxiliary_learns=False),
}
MEASURES = {
    "distance": "expected distance (pixels)",
    "matching": "matching error, different identity (pixels)",
}
# Streams of random numbers apart from those of the seeds.
_HOST, _HELD_OUT = 1_000, 2_000


@dataclass(frozen=True)
class _Size:
    """How much is trained and measured; steps are of ``spec.batch`` pairs."""

    seeds: int = 4
    dimension: int = 16
    side: int = 70
    crop: int = 10
    batch: int = 8
    steps: int = 160
    train_faces: int = 1_000
    test_faces: int = 400
    held_out: int = 40

    def spec(self, seed: int) -> EmbeddingSpec:
        """The quick study's SmallNet with exchange, trained for less long."""
        return EmbeddingSpec(
            dimension=self.dimension,
            exchange=True,
            data=DataSpec(name="synthetic"),
            size=self.side,
            crop=self.crop,
            batch=self.batch,
            learning_rate=5e-4,
            steps=self.steps,
            lower_rate_from=(self.steps * 4 // 5 + 1,),
            seed=seed,
        )

    def faces(self, split: str) -> FaceDataset:
        limit = self.train_faces if split == "train" else self.test_faces
        return open_dataset("synthetic", None, split, size=self.side, crop=self.crop, limit=limit)


_SMALL = _Size(
    seeds=2, dimension=4, side=36, crop=6, batch=2, steps=5, train_faces=8, test_faces=4, held_out=2
)


def ends(device: str = "cpu", small: bool = False) -> pd.DataFrame:
    """Train from every seed by each of `FORMS`, and measure the ends on faces not trained on.

    Columns seed, form, distance (the exchange loss with the plain distance: pixels that a match
    is expected to be off), matching (error between two identities at full resolution, in pixels
    of a 70-px face). ``small``: a size for tests, of no meaning.
    """
    size, where = _SMALL if small else _Size(), torch.device(device)
    train, test = size.faces("train"), size.faces("test")
    lines = []
    total = size.seeds * len(FORMS) * size.steps * size.batch
    with progress_bar(total, "endings", "pairs") as bar:
        for spec in map(size.spec, range(size.seeds)):
            for form, loss in FORMS.items():
                network = _trained(spec, loss, train, where, bar)
                distance = _distance(network, spec, test, where, size.held_out)
                matching = _matching(network, spec, test)
                lines.append((spec.seed, form, distance, matching))
    return pd.DataFrame(lines, columns=["seed", "form", *MEASURES])


def _trained(
    spec: EmbeddingSpec, loss: Loss, faces: FaceDataset, device: torch.device, bar: tqdm
) -> nn.Module:
    step = first_step(spec, device, loss)
    rates = MultiStepLR(step.optimizer, [at - 1 for at in spec.lower_rate_from])
    for views, grid in _pairs(faces, spec, spec.steps, spec.seed, device):
        step.learn(views, grid)
        rates.step()
        bar.update(spec.batch)
    return step.network.eval()


def _pairs(
    faces: FaceDataset, spec: EmbeddingSpec, batches: int, seed: int, device: torch.device
) -> Iterator[tuple[Tensor, Tensor]]:
    """Both views ``[2B,3,s,s]`` and warps of so many batches, by the seed and not by the loss."""
    generator = torch.Generator(device).manual_seed(seed)
    host = torch.Generator().manual_seed(_HOST + seed)
    chosen = (torch.randint(len(faces), (spec.batch,), generator=host) for _ in range(batches))
    for images in device_batches(faces.images, chosen, device):
        first, second, pair = training_pair(images, spec, generator, host)
        yield torch.cat([first, second]), pair.grid


@torch.inference_mode()
def _distance(
    network: nn.Module, spec: EmbeddingSpec, faces: FaceDataset, device: torch.device, batches: int
) -> float:
    values = [
        losses.exchange_loss(*network(views).chunk(2), grid, distance_power=1.0)
        for views, grid in _pairs(faces, spec, batches, _HELD_OUT, device)
    ]
    return torch.stack(values).mean().item()


def _matching(network: nn.Module, spec: EmbeddingSpec, faces: FaceDataset) -> float:
    with tempfile.TemporaryDirectory() as folder:
        embedding = Embedding(network, spec, {}, pd.DataFrame(), Path(folder))
        errors = summarise(matching_errors(embedding, faces))
    return float(errors.loc[(PROTOCOLS[1], SETTINGS[1]), METHODS[0]])


def by_seed(frame: pd.DataFrame) -> pd.DataFrame:
    """The ends as a table to read: a line for each seed, their mean and standard deviation."""
    names = {OURS: "ours", PLAIN: "plain", CONTROL: "control"}
    columns = {}
    for measure, name in MEASURES.items():
        found = frame.pivot(index="seed", columns="form", values=measure)
        columns |= {(name, short): found[form] for form, short in names.items()}
        columns[name, "ours less plain"] = found[OURS] - found[PLAIN]
    table = pd.DataFrame(columns)
    below = table.agg(["mean", "std"]).rename({"std": "standard deviation"})
    return pd.concat([table.rename("seed {}".format), below])


def gaps(frame: pd.DataFrame) -> pd.DataFrame:
    """How far ours and the control end from the plain loss: a line for each measure and form.

    Columns measure, form, end, plain (means over the seeds), gap (of the means), low, high (the
    gaps of single seeds), spread (standard deviation of the plain loss's ends over the seeds),
    within (whether the gap is at most the spread).
    """
    lines = []
    for measure in MEASURES:
        found = frame.pivot(index="seed", columns="form", values=measure)
        spread = found[PLAIN].std()
        for form in (OURS, CONTROL):
            gap = found[form] - found[PLAIN]
            lines.append(
                {
                    "measure": measure,
                    "form": form,
                    "end": found[form].mean(),
                    "plain": found[PLAIN].mean(),
                    "gap": gap.mean(),
                    "low": gap.min(),
                    "high": gap.max(),
                    "spread": spread,
                    "within": abs(gap.mean()) <= spread,
                }
            )
    return pd.DataFrame(lines)


def sentences(frame: pd.DataFrame) -> str:
    """What the gaps say, a sentence a measure."""
    found = gaps(frame).set_index(["measure", "form"])
    parts = []
    for measure, name in MEASURES.items():
        ours, control = (found.loc[(measure, form)] for form in (OURS, CONTROL))
        parts.append(
            f"{name[0].upper()}{name[1:]}: {ours['end']:.2f} on our loss, {ours['plain']:.2f} on "
            f"the plain one; over {frame['seed'].nunique()} seeds a mean gap of "
            f"{ours['gap']:+.2g} ({ours['low']:+.2g} to {ours['high']:+.2g}), {_verdict(ours)} the "
            f"seed-to-seed standard deviation of {ours['spread']:.2g}; of the control "
            f"{control['gap']:+.2g}, {_verdict(control)} it."
        )
    return " ".join(parts)


def _verdict(gap: pd.Series) -> str:
    return "within" if gap["within"] else "beyond"
