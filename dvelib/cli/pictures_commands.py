"""Commands on your own pictures: choose some, set landmarks by hand, and find them."""

from __future__ import annotations

from pathlib import Path

from dvelib.checkpoints.pretrained import LANDMARKS
from dvelib.cli.options import Device, Every, Fit, Images, pictures_of, say

__all__ = ["annotate", "predict", "suggest"]


def annotate(
    images: Images,
    *,
    every: Every = 1,
    landmarks: str | None = None,
    pictures: int = 20,
    embedding: Path | None = None,
    fit: Fit = None,
) -> None:
    """Set landmarks on pictures by clicks, in JupyterLab.

    Each click is saved at once, in the landmarks.csv of the folder. Predictions (dve predict) are
    shown as starting points; only those that you move or accept become labels. A button learns
    from the labels, predicts all pictures and shows which ones to label next.

    Args:
        landmarks: how many landmarks, or their names between commas (default: as landmarks.csv, or
            else as the predictions)
        pictures: how many pictures to suggest
        embedding: embedding to learn on, its folder or the name of a pretrained one (default:
            FOLDER-embedding if dve train images made it, else smallnet-64d-exchange)
    """
    from dvelib.own.annotator_notebook import open_annotator

    folder = pictures_of(images, every)
    open_annotator(folder, landmarks, pictures, embedding=embedding, fit=fit, say=say)


def suggest(
    images: Images,
    *,
    every: Every = 1,
    pictures: int = 20,
    embedding: Path | None = None,
    fit: Fit = None,
    device: Device = "auto",
) -> None:
    """Say which pictures to label next: doubtful predictions, and pictures unlike the labelled.

    Descriptors of the pictures are compared. If predictions.csv has a doubt column, the choice is
    among the most doubtful pictures. dve annotate shows the chosen pictures first.

    Args:
        pictures: how many pictures to suggest
        embedding: embedding to compare pictures with (default: as for dve annotate)
    """
    from dvelib.own.sitting import suggest_next

    suggest_next(pictures_of(images, every), pictures, embedding, fit=fit, device=device, say=say)


def predict(
    images: Images,
    *,
    every: Every = 1,
    regressor: Path = Path(LANDMARKS),
    out: Path | None = None,
    force: bool = False,
    device: Device = "auto",
) -> None:
    """Find landmarks on every picture of a folder.

    The default regressor finds eyes, nose and corners of the mouth of faces that fill the
    picture, cropped as those of AFLW_M.

    Args:
        regressor: folder that dve regress made, or the name of a pretrained one (five-landmarks)
        out: file of the landmarks (default: predictions.csv, among the pictures)
        force: replace files that exist
    """
    from dvelib.own.predictions import predict_folder
    from dvelib.own.predictor import load_predictor

    predictor = load_predictor(regressor, device)
    predict_folder(predictor, pictures_of(images, every), out, force=force, say=say)
