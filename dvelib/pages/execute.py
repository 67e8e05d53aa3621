"""Executing notebooks with papermill.

A notebook is renamed to its own name only after it has run to the end. Where it fails,
`failure.json` holds the reason in one sentence, and the index shows that instead of older numbers.
"""

from __future__ import annotations

import difflib
import os
import sys
from pathlib import Path

from dvelib.common.errors import StudyError
from dvelib.common.files import FAILURE, ROOT, record_failure
from dvelib.common.progress import lines_only

__all__ = ["execute"]

_START_SECONDS = 300  # a busy machine takes its time to start a kernel


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


def _sentence(error: Exception) -> str:
    """What went wrong in one line; of a mistake a user can mend, only its own message."""
    # papermill reports the notebook's exception by its name and text.
    name = getattr(error, "ename", type(error).__name__)
    text = getattr(error, "evalue", str(error)).strip()
    first = text.splitlines()[0].strip() if text else ""
    if name == StudyError.__name__ and first:
        return first
    return f"{name}: {first}" if first else name
