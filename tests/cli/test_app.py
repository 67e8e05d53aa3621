"""All commands: their help, their start, and one sentence for every mistake."""

import subprocess
import sys

import pytest
from cyclopts import App

from dvelib.cli import entry_point
from dvelib.cli.app import app
from dvelib.study.plan import Study

WITHOUT_HEAVY = """\
import sys
from dvelib.cli import main

status = main(sys.argv[1:])
assert not {"torch", "pandas", "numpy", "matplotlib"} & set(sys.modules), sorted(sys.modules)
sys.exit(status)
"""


def collect(part: App, *path: str) -> dict[tuple[str, ...], App]:
    """Every command and group of commands, by the words that are typed."""
    found = {path: part}
    for name in part:
        if not name.startswith("-"):
            found |= collect(part[name], *path, name)
    return found


ALL = collect(app)
COMMANDS = {path: command for path, command in ALL.items() if command.default_command}


def test_the_commands_are_these():
    assert sorted(" ".join(path) for path in COMMANDS) == [
        "adopt",
        "annotate",
        "bench",
        "check",
        "describers",
        "explore",
        "fetch",
        "fetch-model",
        "match",
        "page embedding",
        "page explorer",
        "page table",
        "plan",
        "predict",
        "publish",
        "regress benchmark",
        "regress labels",
        "regress study",
        "site",
        "study",
        "suggest",
        "train images",
        "train study",
        "unpack",
    ]


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_every_command_has_help(dve, path):
    status, out, err = dve(*path, "--help")
    assert (status, err) == (0, "")
    assert out.startswith(" ".join(("Usage: dve", *path)))
    assert ALL[path].help


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_option_says_what_it_does_and_its_default(path):
    for argument in COMMANDS[path].assemble_argument_collection(parse_docstring=True):
        if argument.children:  # a group of options: its members follow
            continue
        assert argument.parameter.help, argument.name
        optional = not argument.required and argument.name not in ("--data", "--parent", "--eyes")
        if optional and argument.field_info.default is None:
            assert "(default: " in argument.parameter.help, argument.name


def test_help_and_mistakes_do_not_wait_for_pytorch():
    for words, status in ((["--help"], 0), (["regress", "labels", "--help"], 0), (["nope"], 2)):
        command = [sys.executable, "-c", WITHOUT_HEAVY, *words]
        result = subprocess.run(command, capture_output=True, text=True)
        assert result.returncode == status, result.stderr


def test_the_package_runs_as_a_module():
    command = [sys.executable, "-m", "dvelib.cli", "trian"]
    result = subprocess.run(command, capture_output=True, text=True)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith("dve: unknown command")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("", "dve needs the name of a command: choose among train, regress, annotate, "),
        ("train", "dve train needs the name of a command: choose among images, study"),
        ("trian", 'unknown command "trian"; did you mean "train"? (dve --help '),
        ("train imges x", 'unknown command "imges"; did you mean "images"? (dve train --help '),
        ("plan --proflie x", "unknown option: --proflie; did you mean --profile? (dve plan --help"),
        ("plan --nonsense", "unknown option: --nonsense (dve plan --help lists the options)"),
        ("plan x", "dve plan has no use for x (dve plan --help "),
        ("train images", "dve train images needs a value for IMAGES (dve train images --help "),
        ("page table", "dve page table needs a value for NAME ("),
        ("plan --profile", "dve plan needs a value for --profile ("),
        ("regress benchmark mafl", "dve regress benchmark needs a value for --embedding ("),
        ("regress labels x --embedding e --eyes 0", "regress labels needs 2 values for --eyes ("),
        ("train images x --steps a", 'invalid value for --steps: unable to convert "a" into int ('),
        (
            "predict x --device gpu",
            'invalid value "gpu" for --device; choose from: "auto", "cpu", "cuda"',
        ),
        ("plan --profile a --profile b", "parameter --profile specified multiple times ("),
    ],
)
def test_a_mistyped_command_is_answered_in_one_sentence(refused, words, message):
    assert message in refused(*words.split())


def test_an_interrupt_is_no_traceback(dve, monkeypatch):
    def interrupted(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(Study, "load", interrupted)
    assert dve("plan") == (130, "", "dve: stopped; repeat the command to continue from here\n")


def test_mistakes_in_the_program_are_not_hidden(dve, monkeypatch):
    monkeypatch.setattr(Study, "load", lambda *arguments, **options: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        dve("plan")


def test_the_exit_status_is_the_commands(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["dve", "plan", "--profile", "nope"])
    with pytest.raises(SystemExit) as caught:
        entry_point()
    assert caught.value.code == 2
    assert capsys.readouterr().err.startswith("dve: there is no parameter file")


@pytest.mark.parametrize("command", ["plan --profile smoke", "describers"])
def test_a_reader_that_closes_the_output_is_no_error(command):
    program = f"set -o pipefail; {sys.executable} -m dvelib.cli {command} | head -n 1"
    result = subprocess.run(["bash", "-c", program], capture_output=True, text=True)
    # All of the output may fit into the pipe before it is closed.
    assert result.returncode in (0, 141) and result.stderr == ""
