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
    say: Callable[[str], None] = print,
) -> None:
    """Write the annotator's notebook into a folder of pictures and become JupyterLab on it.

    The process is replaced, so the call does not return. ``landmarks``: how many, or their names
    between commas; None takes those of the folder's ``landmarks.csv``. ``pictures``: how many to
    suggest. Raises StudyError where a package is missing, for a folder without pictures and for
    impossible landmarks.
    """
    for package in ("jupyterlab", "ipympl", "papermill"):
        if find_spec(package) is None:
            raise StudyError(f"dve annotate needs {package}: pip install 'dvelib[study]'")
    from dvelib.own.annotator import Annotator, as_names

    count, names = as_names(landmarks)
    folder = Annotator(images, landmarks, pictures).folder
    path = prepare_notebook(folder, list(names) or count, pictures)
    say(f"opening {path}: run its cells (Run, Run All Cells)")
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", "jupyterlab", str(path)])


def prepare_notebook(folder: Path, landmarks: list[str] | int | None, pictures: int) -> Path:
    """Write the annotator's notebook into a folder, its parameters filled in, not executed.

    Raises StudyError where a notebook of that name exists and is not from here.
    """
    import papermill

    path, source = folder / NOTEBOOK, ROOT / "notebooks" / NOTEBOOK
    if path.exists() and '"papermill"' not in path.read_text(encoding="utf-8", errors="replace"):
        raise StudyError(f"{path} exists and dve annotate did not write it: move it away")
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
