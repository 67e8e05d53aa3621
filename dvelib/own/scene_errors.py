"""How good a predictor of faces is on test pictures, and whether its doubt is right.

The test pictures are those of `dvelib.own.scenes`: labelled faces in larger pictures, and pictures
without a face. Errors are in percent of the inter-ocular distance.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from dvelib.common.errors import StudyError
from dvelib.common.progress import progress_bar
from dvelib.data import FaceDataset, open_dataset
from dvelib.evaluation.intervals import uncertainty
from dvelib.own.calibration import nearest_face, relative_errors
from dvelib.own.doubt import DOUBTFUL, GOOD_WITHIN
from dvelib.own.face_learning import KINDS, SIDE, face_splits
from dvelib.own.predictor import Predictor
from dvelib.own.scenes import EMPTY, empty_picture, face_scene

__all__ = [
    "empty_pictures",
    "errors_by_dataset",
    "examples",
    "face_errors",
    "flagged",
    "labelled_faces",
    "reliability",
]

BINS = 10
DRAWN = 300  # drawn faces


def labelled_faces(landmarks: int, data_root: Path | str | None = None) -> list[FaceDataset]:
    """Labelled test faces with 5 or 68 landmarks, not cropped: drawn ones without ``data_root``.

    ``data_root``: the folder that holds AFLW_M, AFLW_R and 300-W. Raises StudyError where it does
    not, and for another number of landmarks.
    """
    kinds = {kind.count: kind for kind in KINDS.values()}
    if landmarks not in kinds:
        raise StudyError(f"labelled faces have {' or '.join(map(str, kinds))} landmarks")
    if data_root is None:
        name = "synthetic" if landmarks == 5 else "synthetic-68"
        return [open_dataset(name, None, "test", size=SIDE, crop=0, limit=DRAWN)]
    return face_splits(kinds[landmarks], Path(data_root), "test")[0]


def face_errors(
    predictor: Predictor, datasets: Sequence[FaceDataset], count: int, seed: int = 0
) -> pd.DataFrame:
    """One row a landmark of ``count`` test pictures of each dataset.

    Columns: ``dataset``, ``picture``, ``landmark``; ``found``: whether a detected face is near the
    labelled one; ``error``, ``doubt`` (NaN where it is not); ``share`` of the picture's side that
    the face takes. The datasets are not cropped (``crop=0``) and have the predictor's landmarks.
    """
    rows, draw = [], np.random.default_rng(seed)
    with progress_bar(count * len(datasets), "finding faces", "pictures") as bar:
        for faces in datasets:
            for i in np.linspace(0, len(faces) - 1, count).astype(int):
                scene = face_scene(faces, int(i), draw)
                found = predictor.faces_of(Image.fromarray(scene.picture))
                face = nearest_face(found, scene.landmarks)
                number = len(predictor.names)
                error = np.full(number, np.nan)
                if face is not None:
                    error = 100 * relative_errors(face.landmarks, scene.landmarks)
                values = {
                    "dataset": faces.title,
                    "picture": f"{faces.name}/{faces.files[i]}",
                    "landmark": np.arange(number),
                    "found": face is not None,
                    "error": error,
                    "doubt": np.nan if face is None else face.doubt,
                    "share": scene.share,
                }
                rows.append(pd.DataFrame(values))
                bar.update()
    return pd.concat(rows, ignore_index=True)


def examples(datasets: Sequence[FaceDataset], count: int, seed: int = 0) -> np.ndarray:
    """Test pictures ``[2 * count,3,S,S]`` uint8: with a face, then without."""
    draw = np.random.default_rng(seed)
    shown = []
    for i in range(count):
        faces = datasets[i % len(datasets)]
        shown.append(face_scene(faces, int(draw.integers(len(faces))), draw).picture)
    shown += [empty_picture(i, draw) for i in range(count)]
    return np.stack(shown).transpose(0, 3, 1, 2)


def empty_pictures(predictor: Predictor, count: int, seed: int = 0) -> pd.DataFrame:
    """One row a picture without a face.

    Columns: ``kind`` (see `dvelib.own.scenes.EMPTY`); ``faces``: detections; ``flagged``: whether
    no face was found or each is doubtful; ``flagged_framed``: whether the picture's central square,
    taken for a face, is doubtful.
    """
    rows, draw, kinds = [], np.random.default_rng(seed), list(EMPTY)
    with progress_bar(count, "reading pictures without a face", "pictures") as bar:
        for i in range(count):
            image = Image.fromarray(empty_picture(i, draw))
            found = predictor.faces_of(image)
            framed = predictor.faces_of(image, framed=True)
            rows.append(
                {
                    "kind": kinds[i % len(kinds)],
                    "faces": len(found),
                    "flagged": all(face.is_doubtful for face in found),
                    "flagged_framed": framed[0].is_doubtful,
                }
            )
            bar.update()
    return pd.DataFrame(rows)


def errors_by_dataset(errors: pd.DataFrame) -> pd.DataFrame:
    """By dataset: pictures, share of faces found, mean error of those and its 95 % interval."""
    rows = {}
    for name, part in errors.groupby("dataset", sort=False):
        each = part.groupby("picture")["error"].mean()
        low, high = uncertainty(each.dropna())
        good = part[part.doubt <= DOUBTFUL]
        rows[name] = {
            "pictures": len(each),
            "found (%)": 100 * each.notna().mean(),
            "error (% of eye distance)": each.mean(),
            "low": low,
            "high": high,
            "called good (%)": 100 * len(good) / max(len(part), 1),
            "of these good (%)": 100 * (good.error <= 100 * GOOD_WITHIN).mean(),
        }
    return pd.DataFrame(rows).T


def reliability(errors: pd.DataFrame) -> pd.DataFrame:
    """Landmarks in bins of equal width of their doubt.

    Columns: ``landmarks``: how many; ``said``: their mean doubt; ``wrong``: the share that is
    farther from the truth than `dvelib.own.doubt.GOOD_WITHIN`. Empty bins are left out.
    """
    known = errors.dropna(subset=["error"])
    place = np.minimum((known.doubt * BINS).astype(int), BINS - 1)
    wrong = known.error > 100 * GOOD_WITHIN
    table = pd.DataFrame({"said": known.doubt, "wrong": wrong.astype(float), "bin": place})
    grouped = table.groupby("bin")
    return grouped.mean().assign(landmarks=grouped.size()).reset_index(drop=True)


def flagged(empty: pd.DataFrame) -> pd.DataFrame:
    """By kind of picture without a face: pictures, and the shares that are flagged, in percent."""
    grouped = empty.groupby("kind", sort=False)
    table = 100 * grouped[["flagged", "flagged_framed"]].mean()
    table.insert(0, "pictures", grouped.size())
    return table
