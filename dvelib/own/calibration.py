"""Calibration of a predictor's doubt on labelled faces and on pictures without a face.

Labelled faces lie in larger pictures (`dvelib.own.scenes`). Half of them are framed from the
detector's box; the other half from frames that deviate much, as a picture that is badly cut around
its face would. Pictures without a face are read in random frames, so that the calibration knows
landmarks on no face even where the detector makes no false detection.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np
from PIL import Image
from scipy.cluster.vq import kmeans2

from dvelib.checkpoints.storage import Embedding
from dvelib.common.progress import progress_bar
from dvelib.data import FaceDataset
from dvelib.own.doubt import GOOD_WITHIN, evidence, fit_doubt, save_doubt
from dvelib.own.face_detection import detect_faces
from dvelib.own.face_framing import FaceFraming, face_frames, five_of, size_of
from dvelib.own.face_landmarks import FaceReader, unit_descriptors, virtual_offsets
from dvelib.own.scenes import Scene, empty_picture, face_scene
from dvelib.regressor import LandmarkRegressor
from dvelib.training.framing import deviating
from dvelib.training.regressors import predict

__all__ = ["calibrate", "nearest_face", "training_facts"]

FACES, EMPTY_PICTURES = 240, 98  # pictures for calibration
NEAR = 1.5  # sizes of the face between the centres of a detected and of a labelled one, at most
CENTRES = 16  # descriptors of training faces that are kept for each landmark
SAMPLE = 600  # training faces from which they are chosen
BADLY_FRAMED = (0.35, 25.0, 0.15)  # standard deviations: log of scale, degrees, parts of the side


class _Boxed(Protocol):
    box: np.ndarray


T = TypeVar("T", bound=_Boxed)


def calibrate(
    folder: Path,
    embedding: Embedding,
    network: LandmarkRegressor,
    framing: FaceFraming,
    train: FaceDataset,
    kept: list[FaceDataset],
    seed: int,
) -> dict[str, object]:
    """Calibrate doubt on faces kept out of the training and write it into the folder.

    ``train``: framed faces of the training. Returns what was counted. Raises StudyError where the
    detector is missing.
    """
    draw = np.random.default_rng(seed)
    centres, offsets = training_facts(embedding, network, framing, train, draw)
    reader = FaceReader(embedding, network, framing, offsets)
    found, wrong = [], []
    with progress_bar(FACES + EMPTY_PICTURES, "calibrating doubt", "pictures") as bar:
        for each, missed in _readings(reader, centres, kept, draw):
            found.append(each)
            wrong.append(missed)
            bar.update()
    found, wrong = np.concatenate(found), np.concatenate(wrong)
    doubt = fit_doubt(found, wrong, centres)
    facts = {
        "framing": framing._asdict(),
        "faces": FACES,
        "pictures_without_a_face": EMPTY_PICTURES,
        "share_of_wrong_landmarks": round(float(wrong.mean()), 4),
    }
    save_doubt(folder, doubt, offsets, facts)
    return facts


def training_facts(
    embedding: Embedding,
    network: LandmarkRegressor,
    framing: FaceFraming,
    train: FaceDataset,
    draw: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Descriptors ``[A,C,D]`` at landmarks of training faces, and usual offsets ``[A,V,2]``.

    The descriptors are centres of clusters; the offsets of virtual keypoints are medians.
    """
    side = train.cropped_size
    picked = draw.choice(len(train), min(SAMPLE, len(train)), replace=False)
    descriptors, offsets = [], []
    for part in np.array_split(picked, max(len(picked) // 50, 1)):
        maps = embedding(train.cropped(part))
        points, virtual = (p.numpy() for p in predict(network, maps, side))
        descriptors.append(unit_descriptors(maps, train.landmarks[part], side))
        offsets.append(virtual_offsets(points, virtual, framing.size * side))
    each = np.concatenate(descriptors).swapaxes(0, 1)  # [A,N,D]
    centres = np.stack([_clusters(np.nan_to_num(d), draw) for d in each])
    return centres, np.median(np.concatenate(offsets), axis=0)


def _clusters(descriptors: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    """Unit centres ``[C,D]`` of clusters of descriptors ``[N,D]``."""
    count = min(CENTRES, len(descriptors))
    centres, _ = kmeans2(descriptors, count, minit="points", rng=draw)
    return centres / np.maximum(np.linalg.norm(centres, axis=1, keepdims=True), 1e-6)


def _readings(
    reader: FaceReader, centres: np.ndarray, kept: list[FaceDataset], draw: np.random.Generator
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Evidence ``[A,E]`` and which landmarks are wrong ``[A]``, picture by picture."""
    for i in range(FACES):
        faces = kept[i % len(kept)]
        scene = face_scene(faces, int(draw.integers(len(faces))), draw)
        image = Image.fromarray(scene.picture)
        face = nearest_face(detect_faces(image), scene.landmarks) if i % 2 == 0 else None
        if face is None:
            frame = _badly_framed(scene.landmarks, reader, draw)
        else:
            frame = reader.frame_of(face.box, face.turn)
        reading = reader.read(image, frame)
        confidence = None if face is None else face.confidence
        yield evidence(reading, centres, confidence), is_wrong(reading.landmarks, scene)
    for i in range(EMPTY_PICTURES):
        image = Image.fromarray(empty_picture(i, draw))
        corner, side = draw.uniform(0, 0.4, 2), draw.uniform(0.2, 0.6)
        box = np.concatenate([corner, corner + side]) * image.width
        frame = reader.frame_of(box, draw.uniform(-20, 20))
        wrong = np.ones(reader.regressor.landmarks, bool)
        yield evidence(reader.read(image, frame), centres), wrong


def _badly_framed(
    landmarks: np.ndarray, reader: FaceReader, draw: np.random.Generator
) -> np.ndarray:
    scale, turn, shift = BADLY_FRAMED
    frames = face_frames(landmarks[None], reader.framing, reader.side)
    factor = np.exp(scale * draw.standard_normal(1))
    turned, moved = turn * draw.standard_normal(1), shift * draw.standard_normal((1, 2))
    return deviating(frames, reader.side, factor, turned, moved)[0]


def nearest_face(faces: Sequence[T], landmarks: np.ndarray) -> T | None:
    """Of detected faces, the one centred on labelled landmarks ``[A,2]``; None if none is near."""
    five = five_of(landmarks[None])[0]
    near = [
        (np.linalg.norm((face.box[:2] + face.box[2:]) / 2 - five.mean(axis=0)), face)
        for face in faces
    ]
    near = [(away, face) for away, face in near if away < NEAR * size_of(five)]
    return min(near, key=lambda pair: pair[0])[1] if near else None


def is_wrong(found: np.ndarray, scene: Scene) -> np.ndarray:
    """``[A]``: whether landmarks are farther from the true ones than is good."""
    return relative_errors(found, scene.landmarks) > GOOD_WITHIN


def relative_errors(found: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Distances ``[A]`` from true landmarks, in inter-ocular distances.

    That is the distance of the eyes' centres for five landmarks, of the outer corners for 68.
    """
    first, second = (0, 1) if len(truth) == 5 else (36, 45)
    eyes = np.linalg.norm(truth[first] - truth[second])
    return np.linalg.norm(found - truth, axis=1) / eyes
