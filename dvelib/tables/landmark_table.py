"""Tables of landmark regression: what a notebook shows of a study, and what it records."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import pandas as pd
import torch

from dvelib.checkpoints.storage import TrainedRegressor, load_regressor
from dvelib.common.markup import data_text
from dvelib.data import FaceDataset
from dvelib.data.audit import shared_images
from dvelib.describers.embedding import describe_images
from dvelib.matching import inter_ocular_error
from dvelib.study.plan import Row
from dvelib.tables.base import StudyTable, measured, number_range
from dvelib.training.regressors import predict

__all__ = ["MEAN_SHAPE", "FewAnnotationsTable", "RegressionTable"]

MEAN_SHAPE = "mean training shape"
FIVE = ("left eye", "right eye", "nose", "left mouth corner", "right mouth corner")
ROWS = ("best", "median", "worst")


class RegressionTable(StudyTable):
    """One table of landmark errors under one profile, its regressors trained.

    All errors are percent of the inter-ocular distance, means over landmarks, images and then
    seeds. ``measure`` is the key of the error among the published numbers; ``ddof`` is for the
    deviation over seeds.
    """

    measure = "iod"
    ddof = 1
    unit, units, baseline = "%", "test images", MEAN_SHAPE

    @cached_property
    def regressors(self) -> dict[str, list[TrainedRegressor]]:
        """By label, the regressor of each seed."""
        folder = self.study.regressor_folder
        return {
            row.label: [load_regressor(folder(name), self.device) for name in row.regressors]
            for row in self.ran
        }

    @cached_property
    def _splits(self) -> dict[tuple[str, str], FaceDataset]:
        """Training and test faces by label and split."""
        return {
            (label, split): self.study.benchmark_data(seeds[0].spec, split)
            for label, seeds in self.regressors.items()
            for split in ("train", "test")
        }

    def faces(self, label: str, split: str = "test") -> FaceDataset:
        """The faces at the size that this row's embedding was trained for."""
        return self._splits[label, split]

    @cached_property
    def errors(self) -> dict[str, list[np.ndarray]]:
        """By label and seed ``[N,A]``, NaN for landmarks that were not set."""
        return {
            label: [_errors(r.predicted, self.faces(label)) for r in seeds]
            for label, seeds in self.regressors.items()
        }

    @cached_property
    def mean_shape_errors(self) -> np.ndarray:
        """``[N,A]`` errors of answering, on every face, the mean landmarks of the training ones."""
        label = self.ran[0].label
        shape = np.nanmean(self.faces(label, "train").landmarks, axis=0)
        faces = self.faces(label)
        return _errors(torch.from_numpy(shape).expand(len(faces), -1, -1), faces)

    @property
    def best(self) -> str:
        """The label of the row with the smallest error."""
        return min(self.errors, key=lambda label: self._measured(label)["mean"])

    def comparison(self) -> pd.DataFrame:
        """Paper beside ours with its interval, a line a row; answering the mean shape below."""
        lines = {}
        for row in self.rows:
            ours = self._measured(row.label) if row.embeddings else {}
            interval = {("ours", key): ours.get(key) for key in ("low", "high")}
            lines[row.label] = {
                ("paper", "error"): row.published.get(self.measure),
                ("ours", "error"): ours.get("mean"),
                **interval,
                ("seeds", "number"): ours.get("seeds"),
                ("seeds", "spread"): ours.get("spread"),
            }
        trivial = self._trivial()
        lines[MEAN_SHAPE.capitalize()] = {
            ("ours", "error"): trivial["mean"],
            ("ours", "low"): trivial["low"],
            ("ours", "high"): trivial["high"],
        }
        return pd.DataFrame.from_dict(lines, orient="index").reindex(
            columns=pd.MultiIndex.from_tuples(next(iter(lines.values())))
        )

    def context(self) -> str:
        """Whether the paper's numbers may be compared with ours, and if not why."""
        train, test = (self.faces(self.ran[0].label, split).split_audit() for split in _SPLITS)
        if not test["complete"] or not test["published"]:
            return "The paper's numbers are context: the test images are not the published ones."
        if not train["complete"] or not train["published"]:
            return (
                "The test images are the published ones; the regressors' training images are not, "
                "and neither are the embeddings', so the paper's numbers are a distant target."
            )
        return "Test and training images are the published ones."

    def bars(self) -> pd.DataFrame:
        """label, setting, error, low, high, kind: for `dvelib.plots.error_bars`."""
        lines, where = [], self.faces(self.ran[0].label).title
        for row in self.ran:
            ours = self._measured(row.label)
            lines.append((row.label, where, ours["mean"], ours["low"], ours["high"], "ours"))
            if paper := row.published.get(self.measure):
                lines.append((row.label, where, paper, paper, paper, "paper"))
        columns = ["label", "setting", "error", "low", "high", "kind"]
        return pd.DataFrame(lines, columns=columns)

    def references(self) -> dict[str, float]:
        return {MEAN_SHAPE: self._trivial()["mean"]}

    @property
    def measures(self) -> tuple[str, ...]:
        return (self.measure,)

    def unit_errors(self, label: str, measure: str) -> pd.DataFrame:
        """``[images, seeds]``: mean error of each test image, over its landmarks."""
        return pd.DataFrame(np.stack([np.nanmean(e, axis=1) for e in self.errors[label]], axis=1))

    def baseline_errors(self, label: str, measure: str) -> pd.DataFrame:
        images = np.nanmean(self.mean_shape_errors, axis=1)
        return pd.DataFrame(dict.fromkeys(range(len(self.errors[label])), images))

    def image_errors(self, label: str) -> pd.Series:
        """Mean error of each test image, over its landmarks and the seeds."""
        return pd.Series(np.nanmean(np.stack(self.errors[label]), axis=(0, 2)))

    def point_errors(self) -> dict[str, np.ndarray]:
        """By label, the error of every landmark of every image, of the first seed."""
        return {label: _known(seeds[0]) for label, seeds in self.errors.items()}

    def reference_errors(self) -> dict[str, np.ndarray]:
        return {MEAN_SHAPE: _known(self.mean_shape_errors)}

    def landmark_errors(self) -> dict[str, np.ndarray]:
        """By label, the mean error of each landmark ``[A]``."""
        return {
            label: np.nanmean(np.stack(seeds), axis=(0, 1)) for label, seeds in self.errors.items()
        }

    def landmarks(self) -> dict[str, object]:
        """What `dvelib.plots.error_per_landmark` needs beside the errors."""
        shape = np.nanmean(self.faces(self.ran[0].label, "train").landmarks, axis=0)
        reference = {MEAN_SHAPE: np.nanmean(self.mean_shape_errors, axis=0)}
        names = FIVE if len(shape) == len(FIVE) else None
        return {"names": names, "shape": shape, "reference": reference}

    def examples(self, label: str, each: int = 6) -> dict[str, object]:
        """The faces found best, middling and worst: for `dvelib.plots.predicted_landmarks`."""
        faces, errors = self.faces(label), self.image_errors(label)
        order = errors.argsort().to_numpy()
        each = min(each, len(order) // len(ROWS) or 1)
        middle = (len(order) - each) // 2
        chosen = np.concatenate([order[:each], order[middle:][:each], order[-each:]])
        predicted = self.regressors[label][0].predicted
        return {
            "images": faces.cropped(chosen),
            "truth": faces.landmarks[chosen],
            "predicted": predicted[chosen],
            "titles": [f"{errors[i]:.1f} %" for i in chosen],
            "rows": dict.fromkeys(ROWS, each),
        }

    def virtual_keypoints(self, label: str, count: int = 4) -> dict[str, object]:
        """Where the virtual keypoints of five landmarks fall on the first test faces."""
        faces = self.faces(label)
        images = faces.cropped(slice(count))
        maps = describe_images(self.first_seed[label].network, images)
        regressor = self.regressors[label][0].network
        predicted, virtual = predict(regressor, maps, faces.cropped_size)
        shown = _spread(faces.landmarks.shape[1], len(FIVE))
        return {
            "images": images,
            "virtual": virtual[:, shown],
            "predicted": predicted[:, shown],
            "truth": faces.landmarks[: len(images)][:, shown],
        }

    def made(self) -> dict[str, str]:
        """What data, training, time and hardware made the table."""
        facts = [r.provenance for seeds in self.regressors.values() for r in seeds]
        label = self.ran[0].label
        regressor = self.regressors[label][0].spec
        train, test = (data_text(self.faces(label, split).split_audit()) for split in _SPLITS)
        return (
            self.profile_facts()
            | self.training_facts()
            | {
                "Landmarks learned on": train,
                "Landmarks tested on": test,
                "Test images seen in training": self._overlap(),
                "Regressors": f"{regressor.virtual_points} virtual keypoints a landmark, "
                f"{regressor.epochs} epochs in batches of {regressor.batch}",
                "Speed of regressors": number_range(
                    "{:,.0f} faces/s", [f["faces_per_second"] for f in facts]
                ),
                "Time of regressors": f"{sum(f['seconds'] for f in facts) / 60:.1f} minutes in all",
            }
        )

    def _overlap(self) -> str:
        """How many test images the embeddings and the regressors were trained on."""
        label = self.ran[0].label
        test = self.faces(label)
        unlabelled = self.study.training_data(self.first_seed[label].spec)
        counts = {
            "by the embeddings": shared_images(unlabelled, test),
            "by the regressors": shared_images(self.faces(label, "train"), test),
        }
        return ", ".join(f"{count} {who}" for who, count in counts.items())

    def measured_on(self) -> dict[str, object]:
        return self.faces(self.ran[0].label).split_audit()

    def record(self, headline: str) -> None:
        """Write ``results.json``, with the trivial answer's error and whose labels were learned."""
        super().record(
            headline,
            references={MEAN_SHAPE: self._trivial()},
            learned_on=self.faces(self.ran[0].label, "train").split_audit(),
            context=self.context(),
        )

    def numbers(self, row: Row) -> dict[str, dict]:
        return {self.measure: self._measured(row.label)}

    def _measured(self, label: str) -> dict:
        by_seed = [float(np.nanmean(errors)) for errors in self.errors[label]]
        return measured(by_seed, self.unit_errors(label, self.measure), ddof=self.ddof)

    def _trivial(self) -> dict:
        errors = self.mean_shape_errors
        images = pd.Series(np.nanmean(errors, axis=1))
        return measured([float(np.nanmean(errors))], images)


class FewAnnotationsTable(RegressionTable):
    """Landmarks learned from few annotated pictures, picked anew for each seed."""

    measure = "mean_iod"
    ddof = 0  # as published
    repeats = "picks of annotated images"

    def comparison(self) -> pd.DataFrame:
        """Paper beside ours, both with the deviation over picks."""
        table = super().comparison()
        deviations = [row.published.get("std_iod") for row in self.rows]
        # The mean shape has none.
        table.insert(1, ("paper", "deviation"), [*deviations, None])
        return table.rename(columns={"spread": "deviation", "seeds": "picks"})

    def by_count(self) -> pd.DataFrame:
        """embedding, images, error, deviation and kind (paper or ours), for a chart."""
        lines = []
        for row in self.rows:
            name = row.label.rpartition(", ")[0]
            paper = (row.published.get(key) for key in ("mean_iod", "std_iod"))
            lines.append((name, row.spec.annotations, *paper, "paper"))
            if row.embeddings:
                ours = self._measured(row.label)
                shown = (ours["mean"], ours["spread"])
                lines.append((name, row.spec.annotations, *shown, "ours"))
        return pd.DataFrame(lines, columns=["embedding", "images", "error", "deviation", "kind"])


_SPLITS = ("train", "test")


def _errors(predicted: torch.Tensor, faces: FaceDataset) -> np.ndarray:
    truth = torch.from_numpy(faces.landmarks)
    return inter_ocular_error(predicted, truth, faces.eyes).numpy()


def _known(errors: np.ndarray) -> np.ndarray:
    return errors[~np.isnan(errors)]


def _spread(count: int, shown: int) -> np.ndarray:
    """So many of the landmarks, evenly through their list."""
    return np.arange(count) if count <= shown else np.arange(shown) * count // shown
