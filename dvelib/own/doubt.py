"""Doubt: the probability that a landmark is wrong, from evidence that needs no label.

A landmark is wrong if it is farther from its true place than `GOOD_WITHIN` of the inter-ocular
distance. Evidence for a landmark: how far the answers in several frames differ, how far its virtual
keypoints scatter, and how similar its descriptor is to those of training faces. Evidence for a
face: the means of these, how far the five landmarks are from the shape of a face, and the
detector's confidence. A logistic regression on labelled faces and on pictures without a face turns
the evidence into a probability.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from safetensors.numpy import load_file, save_file
from scipy.optimize import minimize

from dvelib.common.errors import StudyError
from dvelib.common.files import atomic_path, read_json, write_json
from dvelib.own.face_landmarks import FaceReading

__all__ = ["GOOD_WITHIN", "Doubt", "evidence", "fit_doubt", "load_doubt", "save_doubt"]

GOOD_WITHIN = 0.2  # of the inter-ocular distance
DOUBTFUL = 0.5  # a landmark whose doubt is above this is marked
RIDGE = 1e-3  # strength of the penalty on the weights
FILE, ARRAYS = "doubt.json", "doubt.safetensors"
EVIDENCE = (
    "log spread over frames",
    "log scatter of virtual keypoints",
    "similarity to training descriptors",
    "mean log spread",
    "mean log scatter",
    "mean similarity",
    "lowest similarity",
    "log distance from the mean shape",
    "detector's confidence",
)


@dataclass(frozen=True)
class Doubt:
    """Calibrated doubt of one predictor.

    ``centres [A,C,D]``: unit descriptors of training faces at each landmark; ``mean``, ``spread``,
    ``weights`` and ``bias`` of the logistic regression on `EVIDENCE`.
    """

    centres: np.ndarray
    mean: np.ndarray
    spread: np.ndarray
    weights: np.ndarray
    bias: float

    def of(self, reading: FaceReading, confidence: float | None) -> np.ndarray:
        """The doubt ``[A]``, from 0 to 1, in the landmarks of a face."""
        found = evidence(reading, self.centres, confidence)
        scaled = (found - self.mean) / self.spread
        return _logistic(np.nan_to_num(scaled) @ self.weights + self.bias)


def evidence(
    reading: FaceReading, centres: np.ndarray, confidence: float | None = None
) -> np.ndarray:
    """The numbers ``[A,E]`` of `EVIDENCE`; NaN for the confidence where there was no detector."""
    spread, scatter = np.log(reading.spread + 1e-3), np.log(reading.scatter + 1e-3)
    similarity = np.einsum("ad,acd->ac", reading.descriptors, centres).max(axis=1)
    each = np.stack([spread, scatter, similarity], 1)
    whole = [spread.mean(), scatter.mean(), similarity.mean(), similarity.min()]
    whole += [np.log(reading.misshapen + 1e-3), np.nan if confidence is None else confidence]
    return np.hstack([each, np.tile(whole, (len(each), 1))])


def fit_doubt(found: np.ndarray, wrong: np.ndarray, centres: np.ndarray) -> Doubt:
    """Calibrate doubt on evidence ``[N,E]`` of landmarks and on whether each was ``wrong [N]``.

    NaN in the evidence counts as its mean. Raises StudyError where no landmark was right or none
    was wrong.
    """
    if wrong.all() or not wrong.any():
        raise StudyError("doubt cannot be calibrated: it needs landmarks that are right and wrong")
    mean, spread = np.nanmean(found, axis=0), np.nanstd(found, axis=0) + 1e-6
    scaled = np.nan_to_num((found - mean) / spread)
    scaled = np.hstack([scaled, np.ones((len(scaled), 1))])

    def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
        score = scaled @ weights
        value = np.logaddexp(0, score).mean() - (wrong * score).mean()
        slope = scaled.T @ (_logistic(score) - wrong) / len(wrong)
        penalty = np.append(weights[:-1], 0)
        return value + RIDGE / 2 * penalty @ penalty, slope + RIDGE * penalty

    best = minimize(loss, np.zeros(scaled.shape[1]), jac=True, method="L-BFGS-B").x
    return Doubt(centres, mean, spread, best[:-1], float(best[-1]))


def _logistic(score: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-np.clip(score, -50, 50)))


def save_doubt(folder: Path, doubt: Doubt, offsets: np.ndarray, facts: dict) -> None:
    """Write a calibration into a regressor's folder; ``facts``: what it was calibrated on."""
    arrays = {"centres": doubt.centres.astype(np.float16), "offsets": offsets.astype(np.float16)}
    with atomic_path(folder / ARRAYS) as path:
        save_file(arrays, path)
    weights = [
        {"evidence": name, "mean": m, "spread": s, "weight": w}
        for name, m, s, w in zip(EVIDENCE, doubt.mean, doubt.spread, doubt.weights, strict=True)
    ]
    write_json(
        folder / FILE,
        facts | {"good_within": GOOD_WITHIN, "bias": doubt.bias, "weights": weights},
    )


class Calibration(NamedTuple):
    """``offsets [A,V,2]``: usual places of virtual keypoints; ``facts``: what was measured."""

    doubt: Doubt
    offsets: np.ndarray
    facts: dict


def load_doubt(folder: Path) -> Calibration | None:
    """The calibration in a regressor's folder; None without one."""
    if not (folder / FILE).exists():
        return None
    facts, arrays = read_json(folder / FILE), load_file(folder / ARRAYS)
    arrays = {name: value.astype(np.float64) for name, value in arrays.items()}
    table = facts["weights"]
    columns = (np.array([row[key] for row in table]) for key in ("mean", "spread", "weight"))
    doubt = Doubt(arrays["centres"], *columns, facts["bias"])
    return Calibration(doubt, arrays["offsets"], facts)
