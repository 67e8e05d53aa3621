"""Execute notebooks with papermill.

An executed notebook gets its name only after its last cell has run. After a failure,
``failure.json`` holds the reason in one sentence, and the index of the site shows the reason
instead of older numbers.
"""

from __future__ import annotations

import difflib
import os
import sys
from pathlib import Path

from dvelib.common.errors import StudyError
from dvelib.common.files import (
    FAILURE,
    record_failure,
    remove_leftovers,
    sync,
    temporary_path,
    work_folder,
)
from dvelib.common.progress import lines_only

__all__ = ["execute", "failure_reason"]

_START_SECONDS = 300  # starting a kernel can take minutes on a busy machine


def execute(notebook: Path, parameters: dict, output: Path, *, cwd: Path | None = None) -> None:
    """Execute a notebook with papermill and save it as ``output``.

    ``cwd``: the folder to execute it in (default: `dvelib.common.files.work_folder`).

    A parameter must be given if its default is None and its comment says "required". The
    notebook's prints appear on stderr at once.
    Raises StudyError for an unknown or missing parameter, and where a cell fails. After a failure,
    ``failure.json`` beside the output holds the reason in one sentence, ``<stem>.failed.ipynb``
    holds the cells that ran, and an older output stays.
    """
    notebook, output = Path(notebook).resolve(), Path(output).resolve()
    failed = output.with_name(f"{output.stem}.failed.ipynb")
    temporary = temporary_path(output)
    output.parent.mkdir(parents=True, exist_ok=True)
    remove_leftovers(output.parent)
    try:
        _check_parameters(notebook, parameters)
        _run(notebook, parameters, temporary, cwd or work_folder())
        sync(temporary)
        os.replace(temporary, output)
        sync(output.parent)
    except ModuleNotFoundError:  # one of this process, not of the notebook
        raise
    except Exception as error:
        if temporary.exists():
            os.replace(temporary, failed)
        message = failure_reason(error)
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

    with lines_only():  # an environment variable, which the kernel inherits
        papermill.execute_notebook(
            str(notebook),
            str(output),
            parameters,
            kernel_name="python3",
            cwd=str(cwd),
            progress_bar=False,
            stdout_file=sys.stderr,
            stderr_file=sys.stderr,
            start_timeout=_START_SECONDS,
            extra_arguments=["--log-level=ERROR"],
        )


def failure_reason(error: BaseException) -> str:
    """The reason of a failure in one line: a StudyError's message, or the error's name and text.

    papermill reports an exception inside a notebook by its name (``ename``) and text (``evalue``).
    """
    name = getattr(error, "ename", type(error).__name__)
    text = getattr(error, "evalue", str(error)).strip()
    first = text.splitlines()[0].strip() if text else ""
    if name == StudyError.__name__ and first:
        return first
    return f"{name}: {first}" if first else name
