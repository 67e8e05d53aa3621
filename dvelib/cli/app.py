"""The commands put together, and how a mistake is answered: one sentence, exit status 2."""

from __future__ import annotations

import os
import re
import select
import sys
from importlib.metadata import requires

from cyclopts import (
    App,
    Argument,
    CycloptsError,
    Group,
    MissingArgumentError,
    Parameter,
    UnusedCliTokensError,
)

from dvelib.cli import (
    datasets_commands,
    explore_commands,
    measure_commands,
    pages_commands,
    pictures_commands,
    regress_commands,
    study_commands,
    train_commands,
)
from dvelib.common.errors import StudyError

__all__ = ["app", "entry_point", "main"]

# The groups and their commands, in the order of the help.
_GROUPS = {
    "Train and use": (
        train_commands.app,
        regress_commands.app,
        pictures_commands.annotate,
        pictures_commands.predict,
        pictures_commands.suggest,
        measure_commands.match,
        explore_commands.explore,
    ),
    "The study": (
        study_commands.plan,
        study_commands.study,
        study_commands.site,
        study_commands.publish,
        study_commands.adopt,
        study_commands.unpack,
        pages_commands.app,
    ),
    "Data and published models": (
        datasets_commands.fetch,
        datasets_commands.check,
        datasets_commands.fetch_model,
    ),
    "Other": (measure_commands.describers, measure_commands.bench),
}


def _build_app() -> App:
    """The application with all commands."""
    app = App(
        name="dve",
        help="Train, evaluate and study dense landmarks that are learned without labels (DVE).",
        help_format="markdown",
        version_flags=(),
        default_parameter=Parameter(negative=()),
        suppress_keyboard_interrupt=False,
        result_action="return_value",
    )
    for order, (title, commands) in enumerate(_GROUPS.items()):
        group = Group(title, sort_key=order)
        for command in commands:
            if isinstance(command, App):
                command.group = group
                app.command(command)
            else:
                app.command(command, group=group)
    app["--help"].group = group
    return app


app = _build_app()


def entry_point() -> None:
    """Run the command of this process's arguments and exit with its status."""
    sys.exit(main())


def main(arguments: list[str] | None = None) -> int:
    """Run a command, by default that of ``sys.argv``.

    Returns the exit status: 0; 2 after a mistake of the user, which stderr says in one sentence;
    130 after an interrupt; 141 where the reader of the output has closed it, as ``head`` does; or
    Snakemake's own.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        _need_command(arguments)
        status = app(arguments, exit_on_error=False, print_error=False) or 0
        sys.stdout.flush()
        return status
    except BrokenPipeError:
        if not _is_output_closed():
            raise
        # Python would try again, at its exit, to write what is left.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except StudyError as error:
        print(f"dve: {error}", file=sys.stderr)
        return 2
    except ModuleNotFoundError as error:
        extra = _extra_with(error.name)
        if extra is None:
            raise
        need = f"this command needs the package {error.name}: pip install 'dvelib[{extra}]'"
        print(f"dve: {need}", file=sys.stderr)
        return 2
    except CycloptsError as error:
        print(f"dve: {_sentence(error)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("dve: stopped; repeat the command to continue from here", file=sys.stderr)
        return 130


def _extra_with(module: str | None) -> str | None:
    """The extra of this package that installs a module, None if there is none; dev has them all."""
    package = re.escape((module or "").split(".")[0])
    pattern = re.compile(rf"{package}\b[^;]*; extra == [\"'](\w+)", re.IGNORECASE)
    matches = (pattern.match(line) for line in requires("dvelib") or ())
    return next((found[1] for found in matches if found and found[1] != "dev"), None)


def _is_output_closed() -> bool:
    """Whether nobody reads the output any more."""
    poll = select.poll()
    poll.register(sys.stdout, select.POLLERR)
    return bool(poll.poll(0))


def _need_command(arguments: list[str]) -> None:
    """Raises StudyError where the arguments end before a command is named."""
    chain, apps, rest = app.parse_commands(arguments)
    if not rest and apps[-1].default_command is None:
        names = ", ".join(name for name in apps[-1] if not name.startswith("-"))
        path = " ".join(("dve", *chain))
        raise StudyError(f"{path} needs the name of a command: choose among {names}")


def _sentence(error: CycloptsError) -> str:
    """What is wrong with the arguments, and where the right ones are listed."""
    path = " ".join(("dve", *(error.command_chain or ())))
    if isinstance(error, MissingArgumentError):
        values, _ = error.argument.token_count()
        count = "a value" if values == 1 else f"{values} values"
        text = f"{path} needs {count} for {_shown_name(error.argument)}"
    elif isinstance(error, UnusedCliTokensError):
        text = f"{path} has no use for {' '.join(error.unused_tokens)}"
    else:
        # Cyclopts writes several short sentences: what is wrong, then a guess or the choices.
        text = re.sub(r"(\?) Available commands: .*", r"\1", str(error))
        text = re.sub(r"\. (\w)", lambda found: f"; {found[1].lower()}", text)
        text = text[0].lower() + text[1:]
    return f"{text.rstrip('.')} ({path} --help lists the options)"


def _shown_name(argument: Argument) -> str:
    """A parameter's name as the usage line shows it: IMAGES or --out."""
    is_positional = argument.index is not None
    return argument.name.removeprefix("--").upper() if is_positional else argument.name
