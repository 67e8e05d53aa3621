"""Commands on a folder of your own pictures: set landmarks by hand, and find them."""

from __future__ import annotations

from pathlib import Path

from dvelib.checkpoints.pretrained import LANDMARKS
from dvelib.cli.options import Device, say

__all__ = ["annotate", "predict"]


def annotate(images: Path, *, landmarks: str | None = None, pictures: int = 20) -> None:
    """Set landmarks on pictures by clicks, in JupyterLab.

    Each click is saved at once, in the landmarks.csv of the folder.

    Args:
        images: folder of the pictures
        landmarks: how many landmarks, or their names between commas (default: as landmarks.csv)
        pictures: how many pictures to suggest
    """
    from dvelib.own.annotator_notebook import open_annotator

    open_annotator(images, landmarks, pictures, say=say)


def predict(
    images: Path,
    *,
    regressor: Path = Path(LANDMARKS),
    out: Path | None = None,
    framed: bool = False,
    force: bool = False,
    device: Device = "auto",
) -> None:
    """Find landmarks on every picture of a folder.

    The pretrained regressors find the faces of photographs and write one line a face: its box, its
    landmarks, and the doubt in each, from 0 to 1. The default one finds eyes, nose and corners of
    the mouth, 68-landmarks the 68 points of 300-W. Finding faces needs pip install 'dvelib[faces]'.
    A regressor that dve regress made looks at the same part of each picture as in its training.

    Args:
        images: folder of the pictures
        regressor: folder that dve regress made, or the name of a pretrained one (five-landmarks or
            68-landmarks)
        out: file of the landmarks (default: predictions.csv, among the pictures)
        framed: each picture is cut around one face already; no face is searched
        force: replace files that exist
    """
    from dvelib.own.predictions import predict_folder
    from dvelib.own.predictor import load_predictor

    predictor = load_predictor(regressor, device)
    predict_folder(predictor, images, out, framed=framed, force=force, say=say)
