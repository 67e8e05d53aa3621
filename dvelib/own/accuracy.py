"""Errors of predicted landmarks on a user's own pictures.

Pictures need not show eyes, so there is no inter-ocular distance. Errors are in pixels of the
upright pictures and in percent of the side of their squares (see `dvelib.data.folder`). If the
user names two landmarks, errors are also in percent of their distance.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch

from dvelib.checkpoints.storage import TrainedRegressor
from dvelib.common.errors import StudyError
from dvelib.common.files import write_json
from dvelib.data import FaceDataset
from dvelib.data.folder import Folder
from dvelib.matching import inter_ocular_error
from dvelib.own.framing import upright_size

__all__ = ["ERRORS", "picture_errors", "report_errors"]

ERRORS = "errors.json"


def picture_errors(
    truth: np.ndarray,
    predicted: np.ndarray,
    sides: np.ndarray,
    size: int,
    eyes: tuple[int, int] | None = None,
) -> dict[str, float | int | list[float | None] | None]:
    """Mean distances between predicted and true landmarks, over all annotated landmarks.

    ``truth``, ``predicted [N,A,2]`` in pixels of a square of side ``size``; ``sides [N]``: sides
    of these squares in the upright pictures. Returns the counts ``pictures`` and ``landmarks``,
    and errors: ``pixels`` of the upright pictures; ``percent`` of the square's side, also by
    landmark; ``percent_of_eyes``, of the distance between the landmarks ``eyes``. An error without
    annotated landmarks is None. Raises StudyError if the two landmarks coincide.
    """
    away = np.linalg.norm(predicted - truth, axis=2)  # [N,A]
    known = ~np.isnan(away)
    percent = 100 * away / size
    errors = {
        "pictures": int(known.any(axis=1).sum()),
        "landmarks": int(known.sum()),
        "pixels": _mean((away * sides[:, None] / size)[known]),
        "percent": _mean(percent[known]),
        "percent_by_landmark": [_mean(percent[known[:, k], k]) for k in range(away.shape[1])],
        "percent_of_eyes": None,
    }
    if eyes:
        try:
            relative = inter_ocular_error(*map(torch.from_numpy, (predicted, truth)), eyes).numpy()
        except ValueError as error:
            raise StudyError(f"--eyes: {error}") from None
        errors["percent_of_eyes"] = _mean(relative[~np.isnan(relative)])
    return errors


def _mean(values: np.ndarray) -> float | None:
    return round(float(values.mean()), 4) if len(values) else None


def report_errors(
    trained: TrainedRegressor,
    test: FaceDataset,
    layout: Folder,
    names: Sequence[str],
    eyes: tuple[int, int] | None,
    say: Callable[[str], None],
) -> None:
    """Print the errors on the test pictures and write them to the regressor's folder."""
    sides = layout.sides(np.array([upright_size(test.root / file) for file in test.files]))
    found = picture_errors(test.landmarks, trained.predicted.numpy(), sides, test.size, eyes)
    write_json(trained.folder / ERRORS, found | {"names": list(names)})
    say(
        f"mean error on {found['pictures']} test pictures ({found['landmarks']} landmarks): "
        f"{found['pixels']:.1f} pixels, {found['percent']:.1f} % of the picture's side"
    )
    for name, percent in zip(names, found["percent_by_landmark"], strict=True):
        say(f"  {name}: " + ("not annotated" if percent is None else f"{percent:.1f} %"))
    if found["percent_of_eyes"] is not None:
        between = " and ".join(names[k] for k in eyes)
        say(f"  {found['percent_of_eyes']:.1f} % of the distance between {between}")
