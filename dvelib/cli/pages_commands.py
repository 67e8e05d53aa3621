"""``dve page``: execute one notebook of a study. The Snakefile calls these."""

from __future__ import annotations

from cyclopts import App

from dvelib.cli.options import DEFAULT_STUDY, StudyOptions, named
from dvelib.common.files import ROOT

__all__ = ["app", "embedding", "explorer", "table"]

app = App(name="page", help="Execute one notebook of a study (dve study does this for all).")


@app.command
def embedding(name: str, *, options: StudyOptions = DEFAULT_STUDY) -> None:
    """Execute the notebook of a trained embedding.

    Args:
        name: the embedding, one that dve plan lists
    """
    from dvelib.pages.execute import execute

    study = options.load()
    named(study.embeddings, name, "embedding")
    parameters = options.parameters() | {"embedding": name}
    page = study.embedding_folder(name) / "page.ipynb"
    execute(ROOT / "notebooks" / "train_embedding.ipynb", parameters, page)


@app.command
def table(name: str, *, options: StudyOptions = DEFAULT_STUDY) -> None:
    """Execute the notebook of a table.

    Args:
        name: the table, one that dve plan lists
    """
    from dvelib.pages.execute import execute

    study = options.load()
    notebook = ROOT / "notebooks" / f"{named(study.tables, name, 'table').notebook}.ipynb"
    parameters = options.parameters() | {"table": name}
    execute(notebook, parameters, study.table_folder(name) / "page.ipynb")


@app.command
def explorer(*, options: StudyOptions = DEFAULT_STUDY) -> None:
    """Execute the notebook that explores the study's embeddings."""
    from dvelib.pages.execute import execute

    study = options.load()
    notebook = ROOT / "notebooks" / "explore.ipynb"
    execute(notebook, options.parameters(), study.outputs / "explore" / "page.ipynb")
