"""Opening the annotator: a copy of its notebook among the pictures, shown in JupyterLab."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from dvelib.common.errors import StudyError
from dvelib.common.files import ROOT, atomic_path

__all__ = ["NOTEBOOK", "open_annotator", "prepare_notebook"]

NOTEBOOK = "annotate.ipynb"


def open_annotator(
    images: Path | str,
    landmarks: str | int | None = None,
    pictures: int = 20,
    *,
    embedding: Path | str | None = None,
    fit: str | None = None,
    say: Callable[[str], None] = print,
) -> None:
    """Write the annotator's notebook into a folder of pictures and become JupyterLab on it.

    The process is replaced, so the call does not return. ``landmarks``: how many, or their names
    between commas; None takes those of the folder's ``landmarks.csv``. ``pictures``: how many to
    suggest. ``embedding`` and ``fit``: what the annotator's button learns on, see
    `dvelib.own.sitting`. Raises StudyError where a package is missing, for a folder without
    pictures and for impossible landmarks.
    """
    for package in ("jupyterlab", "ipympl", "papermill"):
        if find_spec(package) is None:
            raise StudyError(f"dve annotate needs {package}: pip install 'dvelib[study]'")
    from dvelib.own.annotator import Annotator, as_names
    from dvelib.own.landmark_file import PREDICTIONS_FILE
    from dvelib.own.sitting import embedding_folder

    count, names = as_names(landmarks)
    annotator = Annotator(images, landmarks, pictures)
    parameters = {
        "folder": str(annotator.folder),
        "landmarks": list(names) or count,
        "pictures": pictures,
        "embedding": str(embedding_folder(annotator.folder, embedding)) if embedding else None,
        "fit": fit,
    }
    path = prepare_notebook(annotator.folder, parameters)
    if annotator.predictions.points:
        say(
            f"{PREDICTIONS_FILE} is shown as a starting point; a prediction becomes a label only "
            f"if you move or accept it"
        )
    say(f"opening {path}: run its cells (Run, Run All Cells)")
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", "jupyterlab", str(path)])


def prepare_notebook(folder: Path, parameters: dict[str, object]) -> Path:
    """Write the annotator's notebook into a folder, its parameters filled in, not executed.

    Raises StudyError where a notebook of that name exists and is not from here.
    """
    import papermill

    path, source = folder / NOTEBOOK, ROOT / "notebooks" / NOTEBOOK
    if path.exists() and '"papermill"' not in path.read_text(encoding="utf-8", errors="replace"):
        raise StudyError(f"{path} exists and dve annotate did not write it: move it away")
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
