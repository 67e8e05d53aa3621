"""The command line for a user's own pictures: its options, and what runs.

``dve train`` and ``dve regress`` are shared with the study, which names what its plan holds; here
they are given pictures or labels instead. ``dve annotate`` and ``dve predict`` are of this part
alone.
"""

from __future__ import annotations

import argparse
import os
import sys
from importlib.util import find_spec
from pathlib import Path

from dvelib.checkpoints.pretrained import EMBEDDINGS, LANDMARKS
from dvelib.common.errors import StudyError
from dvelib.common.files import ROOT, atomic_path

__all__ = ["add_commands", "add_regress_options", "add_train_options", "own_pictures"]

NOTEBOOK = "annotate.ipynb"
_TRAIN = (
    "out",
    "parent",
    "architecture",
    "dimension",
    "size",
    "crop",
    "steps",
    "batch",
    "seed",
    "device",
    "force",
)
_REGRESS = ("embedding", "out", "epochs", "batch", "seed", "eyes", "device", "force")


def add_train_options(parser: argparse.ArgumentParser) -> None:
    """What ``dve train --images`` takes."""
    parser.add_argument("--images", metavar="FOLDER", help="train on these pictures instead")
    own = parser.add_argument_group(
        "with --images",
        "The defaults take something like half an hour to an hour on two cores. The learning rate "
        "is 1e-3 times the square root of batch/32, and a tenth of it in the last fifth of the "
        "steps. The same command goes on where it was stopped.",
    )
    _result_options(own, "<images>-embedding beside the pictures")
    own.add_argument("--parent", metavar="EMBEDDING", help="folder of an embedding to start from")
    own.add_argument("--architecture", choices=["smallnet", "hourglass"], help="(smallnet)")
    own.add_argument("--dimension", type=int, help="of the descriptors (64)")
    own.add_argument("--size", type=int, help="side of the squares, pixels (100; hourglass 136)")
    own.add_argument("--crop", type=int, help="pixels cut from each side (15 %% of the size)")
    own.add_argument("--steps", type=int, help="(2500)")
    own.add_argument("--batch", type=int, help="pairs in a step (16)")


def add_regress_options(parser: argparse.ArgumentParser) -> None:
    """What ``dve regress --landmarks`` takes."""
    parser.add_argument("--landmarks", metavar="FILE", help="learn this landmarks.csv instead")
    own = parser.add_argument_group(
        "with --landmarks",
        "From fewer than 200 labelled pictures, some 2,000 warped copies are made; a few minutes "
        "for a handful of landmarks.",
    )
    own.add_argument(
        "--embedding",
        metavar="DIR",
        help="folder of the embedding to learn on, or "
        f"one that comes along: {', '.join(EMBEDDINGS)}",
    )
    _result_options(own, "<pictures>-regressor beside the pictures")
    own.add_argument("--epochs", type=int, help="(50; from 200 labelled pictures on, 150)")
    own.add_argument("--batch", type=int, help="pictures in a step (32)")
    own.add_argument(
        "--eyes", metavar="I,J", help="two landmarks, from 0: errors in their distance, too"
    )


def _result_options(group, place: str) -> None:
    group.add_argument("--out", metavar="DIR", help=f"where it goes ({place})")
    group.add_argument("--seed", type=int, help="(0)")
    group.add_argument("--device", choices=["auto", "cpu", "cuda"], help="(auto)")
    replace = "replace what DIR holds of other pictures or settings"
    group.add_argument("--force", action="store_true", default=None, help=replace)


def add_commands(commands: argparse._SubParsersAction) -> None:
    """``dve annotate`` and ``dve predict``."""
    text = "Set landmarks on pictures of a folder, in JupyterLab; saved as its landmarks.csv."
    annotate = commands.add_parser("annotate", help=text, description=text)
    annotate.set_defaults(run=_annotate)
    annotate.add_argument("--images", metavar="FOLDER", required=True, help="the pictures")
    annotate.add_argument(
        "--landmarks", metavar="N", help="how many, or their names between commas"
    )
    annotate.add_argument("--pictures", type=int, default=20, help="how many to suggest (20)")
    text = "Find landmarks on every picture of a folder."
    predict = commands.add_parser("predict", help=text, description=text)
    predict.set_defaults(run=_predict)
    predict.add_argument("--images", metavar="FOLDER", required=True, help="the pictures")
    predict.add_argument(
        "--regressor",
        metavar="DIR",
        default=LANDMARKS,
        help=f"what dve regress made ({LANDMARKS}: eyes, nose and corners of the mouth of faces "
        "that fill the picture, as AFLW_M crops them)",
    )
    predict.add_argument(
        "--out", metavar="FILE", help="where they go (landmarks.csv among the pictures)"
    )
    predict.add_argument("--force", action="store_true", help="replace what is there")
    predict.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")


def own_pictures(options: argparse.Namespace, kind: str) -> bool:
    """Whether ``dve train`` (or ``regress``) is about a user's own pictures; if so, it is done.

    Raises StudyError unless there is either a name of the plan or pictures, and for options that
    go with pictures beside a name.
    """
    source = "images" if kind == "train" else "landmarks"
    if (options.name is None) == (getattr(options, source) is None):
        what = {"train": "an embedding", "regress": "a regressor"}[kind]
        raise StudyError(
            f"dve {kind} takes either the name of {what} of the plan (dve plan lists them) or "
            f"--{source}: give one of the two"
        )
    if options.name is None:
        {"train": _train, "regress": _regress}[kind](options)
        return True
    for key in _TRAIN if kind == "train" else _REGRESS:
        if getattr(options, key) is not None:
            raise StudyError(
                f"--{key} goes with --{source}: what the plan names is as the plan says"
            )
    return False


def _given(options: argparse.Namespace, keys: tuple[str, ...]) -> dict[str, object]:
    return {key: getattr(options, key) for key in keys if getattr(options, key) is not None}


def _train(options: argparse.Namespace) -> None:
    from dvelib.own.embedding_training import train_embedding

    trained = train_embedding(options.images, **_given(options, _TRAIN), say=_say)
    _say(f"the embedding is in {trained.folder}")


def _regress(options: argparse.Namespace) -> None:
    from dvelib.own.landmark_learning import regress_landmarks

    if options.embedding is None:
        raise StudyError(
            "dve regress --landmarks needs --embedding, the folder of the embedding to learn on "
            "(dve train --images makes one)"
        )
    given = _given(options, _REGRESS)
    if "eyes" in given:
        given["eyes"] = _pair(given["eyes"])
    trained = regress_landmarks(options.landmarks, **given, say=_say)
    _say(f"the regressor is in {trained.folder}")


def _pair(text: str) -> tuple[int, int]:
    parts = [part.strip() for part in text.split(",")]
    if len(parts) != 2 or not all(part.isdecimal() for part in parts):
        raise StudyError(f"--eyes takes two landmarks, such as 0,1, got {text!r}")
    return int(parts[0]), int(parts[1])


def _predict(options: argparse.Namespace) -> None:
    from dvelib.own.predictions import predict_folder
    from dvelib.own.predictor import load_predictor

    predictor = load_predictor(options.regressor, options.device)
    predict_folder(predictor, options.images, options.out, force=options.force, say=_say)


def _annotate(options: argparse.Namespace) -> None:
    """Leave a notebook with the pictures, its parameters filled in, and open it."""
    for package in ("jupyterlab", "ipympl", "papermill"):
        if find_spec(package) is None:
            raise StudyError(f"dve annotate needs {package}: pip install 'dvelib[study]'")
    from dvelib.own.annotator import Annotator, as_names

    count, names = as_names(options.landmarks)
    folder = Annotator(options.images, options.landmarks, options.pictures).folder
    path = prepare_notebook(folder, list(names) or count, options.pictures)
    _say(f"opening {path}: run its cells (Run, Run All Cells)")
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", "jupyterlab", str(path)])


def prepare_notebook(folder: Path, landmarks: list[str] | int | None, pictures: int) -> Path:
    """The annotator's notebook among the pictures, with its parameters; not executed.

    Raises StudyError where a notebook of that name is someone else's.
    """
    import papermill

    path, source = folder / NOTEBOOK, ROOT / "notebooks" / NOTEBOOK
    if not source.is_file():
        raise StudyError(f"there is no {source}: dve annotate runs from a checkout of the project")
    if path.exists() and '"papermill"' not in path.read_text(encoding="utf-8", errors="replace"):
        raise StudyError(f"{path} is there already and none of ours: move it away")
    parameters = {"folder": str(folder), "landmarks": landmarks, "pictures": pictures}
    with atomic_path(path) as temporary:
        papermill.execute_notebook(
            str(source),
            str(temporary),
            parameters,
            prepare_only=True,
            kernel_name="python3",
            progress_bar=False,
        )
    return path


def _say(text: str) -> None:
    print(text, flush=True)
