"""Pages of the package's public functions and classes, made from their docstrings by pdoc.

They ask nothing of the network and need no notebook.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

__all__ = ["DOCUMENTED", "write_api_pages"]

# What users import. Modules whose names load lazily are documented where they are defined.
DOCUMENTED = (
    "dvelib.networks",
    "dvelib.losses",
    "dvelib.warps",
    "dvelib.augment",
    "dvelib.regressor",
    "dvelib.matching",
    "dvelib.data",
    "dvelib.checkpoints.pretrained",
    "dvelib.checkpoints.specifications",
    "dvelib.checkpoints.storage",
    "dvelib.checkpoints.authors_files",
    "dvelib.describers.describer",
    "dvelib.evaluation.matching_errors",
    "dvelib.evaluation.landmark_errors",
    "dvelib.evaluation.dense_errors",
    "dvelib.evaluation.intervals",
    "dvelib.own.predictor",
    "dvelib.recipes",
)


def write_api_pages(folder: Path) -> Path:
    """Write a page for each documented module into a folder; returns the index.

    An earlier folder is replaced when all pages are written.
    """
    import pdoc

    from dvelib import __version__

    building = folder.with_name(f".{folder.name}.{os.getpid()}")
    shutil.rmtree(building, ignore_errors=True)
    pdoc.render.configure(
        docformat="restructuredtext",
        show_source=False,
        search=False,  # its index would be as large as all pages together
        footer_text=f"dvelib {__version__}",
    )
    try:
        pdoc.pdoc(*DOCUMENTED, output_directory=building)
        shutil.rmtree(folder, ignore_errors=True)
        building.rename(folder)
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return folder / "index.html"
