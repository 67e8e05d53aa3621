"""What a notebook shows, and how it is executed; pages and index are in `dvelib.site`.

Notable:

- A figure needs a text alternative; a table scrolls inside itself.
- A notebook takes its place under its own name only once it has run to the end. What stopped it
  is one sentence in `failure.json`, which the index shows instead of older numbers.
"""

from __future__ import annotations

import difflib
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dvelib.errors import StudyError
from dvelib.files import FAILURE, ROOT, record_failure
from dvelib.markup import facts_html, figure_png, fill, plain_text, table_html
from dvelib.progress import lines_only
from dvelib.site import build_site, render

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame

__all__ = [
    "build_site", "definition_list", "execute", "render", "say", "show",
    "show_table",
]  # fmt: skip

_START_SECONDS = 300  # a busy machine takes its time to start a kernel


def show(figure: Figure, alt: str, caption: str | None = None) -> None:
    """Display a matplotlib figure as an HTML figure with its text alternative, and close it.

    Drawn at twice the screen's resolution, shown never wider than the page.
    Raises ValueError without a text alternative.
    """
    if not alt or not alt.strip():
        raise ValueError("a figure needs a text alternative: say in `alt` what it shows")
    from matplotlib import pyplot

    png, width = figure_png(figure)
    pyplot.close(figure)
    page = fill("figure", png=png, width=width, alt=alt, caption=caption)
    _display(page, f"[figure] {caption or alt}")


def show_table(
    frame: DataFrame, caption: str, *, highlight: DataFrame | None = None, decimals: int = 2
) -> None:
    """Display a frame as an HTML table with a caption, scrolling inside itself.

    The index gives the row headers, except a plain 0, 1, 2...: then the first column does. Two
    levels of columns become grouped headers. None and NaN show as a dash.
    ``highlight``: booleans in the frame's shape, True where a cell stands out; ``decimals``:
    digits of numbers that are not whole. Raises ValueError where the shape of ``highlight``
    differs.
    """
    _display(table_html(frame, caption, highlight, decimals), frame.to_string())


def say(markdown: str) -> None:
    """Display markdown: for sentences whose numbers come from results."""
    from IPython.display import display

    display({"text/markdown": markdown, "text/plain": markdown}, raw=True)


def definition_list(mapping: Mapping[str, Any]) -> None:
    """Display facts, name by name: what made this, on which data, how long it took."""
    lines = "\n".join(f"{name}: {plain_text(value)}" for name, value in mapping.items())
    _display(facts_html(mapping), lines)


def _display(page: str, text: str) -> None:
    from IPython.display import display

    display({"text/html": str(page), "text/plain": text}, raw=True)


def execute(notebook: Path, parameters: dict, output: Path, *, cwd: Path = ROOT) -> None:
    """Execute a notebook with papermill, from the repository root, and keep it as ``output``.

    A parameter whose default is None and whose comment says "required" must be given. What the
    notebook prints goes to our stderr as it comes.
    Raises StudyError for a parameter that is unknown or lacking, and where the notebook fails;
    then ``failure.json`` beside the output says why in a sentence, ``<stem>.failed.ipynb`` is
    the notebook as far as it came, and an older output stays.
    """
    notebook, output = Path(notebook).resolve(), Path(output).resolve()
    failed = output.with_name(f"{output.stem}.failed.ipynb")
    temporary = output.with_name(f".{output.stem}.{os.getpid()}.ipynb")
    output.parent.mkdir(parents=True, exist_ok=True)
    try:
        _check_parameters(notebook, parameters)
        _run(notebook, parameters, temporary, cwd)
        os.replace(temporary, output)
    except Exception as error:
        if temporary.exists():
            os.replace(temporary, failed)
        message = _sentence(error)
        kind = output.parent.parent.name.removesuffix("s")
        record_failure(output.parent, f"{kind} {output.parent.name}", message)
        raise StudyError(message) from error
    finally:
        temporary.unlink(missing_ok=True)
    failed.unlink(missing_ok=True)
    output.with_name(FAILURE).unlink(missing_ok=True)


def _check_parameters(notebook: Path, parameters: dict) -> None:
    import papermill

    if not notebook.is_file():
        raise StudyError(f"there is no notebook {notebook}")
    declared = papermill.inspect_notebook(str(notebook))
    for name in parameters:
        if name not in declared:
            nearest = difflib.get_close_matches(name, declared, n=1, cutoff=0.5)
            known = ", ".join(declared) or "none"
            hint = f"did you mean '{nearest[0]}'?" if nearest else f"it has {known}"
            raise StudyError(f"{notebook.name} has no parameter '{name}'; {hint}")
    for name, facts in declared.items():
        required = facts["default"] == "None" and "required" in facts["help"].lower()
        if required and parameters.get(name) is None:
            raise StudyError(f"{notebook.name} needs the parameter '{name}': {facts['help']}")


def _run(notebook: Path, parameters: dict, output: Path, cwd: Path) -> None:
    import papermill

    with lines_only():  # the kernel inherits it
        papermill.execute_notebook(
            str(notebook), str(output), parameters, kernel_name="python3", cwd=str(cwd),
            progress_bar=False, stdout_file=sys.stderr, stderr_file=sys.stderr,
            start_timeout=_START_SECONDS, extra_arguments=["--log-level=ERROR"],
        )  # fmt: skip


def _sentence(error: Exception) -> str:
    """What went wrong in one line; of a mistake a user can mend, only its own message."""
    # papermill reports the notebook's exception by its name and text.
    name = getattr(error, "ename", type(error).__name__)
    text = getattr(error, "evalue", str(error)).strip()
    first = text.splitlines()[0].strip() if text else ""
    if name == StudyError.__name__ and first:
        return first
    return f"{name}: {first}" if first else name
