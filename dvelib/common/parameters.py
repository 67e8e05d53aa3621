"""Reading parameter files. Each error is one sentence that names the file and the key."""

from __future__ import annotations

import os
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches
from pathlib import Path
from typing import TypeVar, get_args

import yaml
from pydantic import BaseModel, ValidationError

from dvelib.common.errors import StudyError
from dvelib.common.files import read_file

__all__ = ["read_yaml", "validate"]

T = TypeVar("T", bound=BaseModel)
MOST = 2**17  # bytes of a parameter file
MOST_VALUES = 100_000
LONGEST_NUMBER = 20  # digits


def validate(model: type[T], values: object, where: str) -> T:
    """The values as a ``model``; raises StudyError naming ``where`` and the key."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise StudyError(f"{where}: {_first_problem(error, model)}") from None
    except (RecursionError, OverflowError):
        raise StudyError(f"{where}: its values are too deep or too large") from None


def read_yaml(model: type[T], path: Path, *otherwise: Path) -> T:
    """Read and check a parameter file, or the first of ``otherwise`` where it does not exist.

    Raises StudyError naming file and key, or the existing files where there is none of them.
    """
    paths = (path, *otherwise)
    existing = next((p for p in paths if os.path.lexists(p)), None)
    if existing is None:
        stems = {p.stem for candidate in paths for p in candidate.parent.glob("*.yaml")}
        known = ", ".join(sorted(stems)) or "none"
        raise StudyError(f"there is no parameter file {path}; the existing ones are: {known}")
    path = existing
    data = read_file(path, "correct it", MOST)
    try:
        values = yaml.load(data.decode("utf-8"), _UniqueKeys)
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError) as error:
        raise StudyError(f"{path} is not valid YAML: {_yaml_problem(error)}") from None
    return validate(model, values, str(path))


class _UniqueKeys(yaml.SafeLoader):
    """YAML without repeated keys, and with few values behind its aliases.

    PyYAML would silently keep a repeated key's last value. A few aliases of aliases make a file of
    a kilobyte into billions of values.
    """

    def get_single_node(self) -> yaml.Node | None:
        node = super().get_single_node()
        if node is not None and _values(node, {}) > MOST_VALUES:
            raise _problem(f"its aliases stand for more than {MOST_VALUES:,} values", node)
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        if not isinstance(node, yaml.MappingNode):
            raise _problem("keys with values were expected", node)
        seen = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise _problem("a key must be a word", key)
            if key.value in seen:
                raise _problem(f"the key {key.value!r} is given twice", key)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def _values(node: yaml.Node, counted: dict[int, int]) -> int:
    """How many values a node stands for, each alias counted as what it repeats."""
    if id(node) not in counted:
        counted[id(node)] = MOST_VALUES + 1  # if the node holds itself
        parts = node.value if isinstance(node.value, list) else []
        flat = [part for item in parts for part in (item if isinstance(item, tuple) else (item,))]
        counted[id(node)] = 1 + sum(_values(part, counted) for part in flat)
    return counted[id(node)]


def _problem(what: str, where: yaml.Node) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=what, problem_mark=where.start_mark)


def _yaml_problem(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "it has too many brackets inside each other"
    if mark := getattr(error, "problem_mark", None):
        return f"line {mark.line + 1}: {error.problem}"
    return " ".join(str(error).split())


# By pydantic's error type, a message without Python's type names.
PLAIN_MESSAGES = {
    "missing": "is missing",
    "model_type": "must hold keys with values",
    "too_short": "must not be empty",
    "tuple_type": "must be a list",
}


def _first_problem(error: ValidationError, model: type[BaseModel]) -> str:
    # Report an unknown key first: a misspelt key is often also reported as missing.
    problem = min(error.errors(), key=lambda p: p["type"] != "extra_forbidden")
    key = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        return f"unknown key {key!r}{_did_you_mean(problem['loc'], model)}"
    message = problem["msg"].removeprefix("Value error, ").replace("Input should", "must")
    message = PLAIN_MESSAGES.get(problem["type"], message)
    if not key:
        return message
    if problem["type"] == "missing" or isinstance(problem["input"], dict):
        return f"{key}: {message}"
    return f"{key}: {message}, got {problem['input']!r}{_as_number(problem)}"


def _as_number(problem: dict) -> str:
    """A hint for a number that YAML reads as text, such as 3e-4."""
    try:
        number = Decimal(problem["input"]) if problem["type"] == "float_type" else Decimal("nan")
    except (InvalidOperation, TypeError, ValueError):
        return ""
    if not number.is_finite() or abs(number.adjusted()) > LONGEST_NUMBER:
        return ""
    return f", which YAML reads as text: write {number:f}"


def _fields_at(location: tuple, annotation: object) -> list[str]:
    """The keys allowed at a location inside a model."""
    if get_args(annotation):  # a tuple of models, an optional or an annotated one
        inner = [_fields_at(location, part) for part in get_args(annotation)]
        return next(filter(None, inner), [])
    if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
        return []
    fields = annotation.model_fields
    names = [part for part in location if isinstance(part, str)]
    if not names:
        return list(fields)
    known = fields.get(names[0])  # None where the key above is unknown, too
    return _fields_at(tuple(names[1:]), known.annotation) if known else []


def _did_you_mean(location: tuple, model: type[BaseModel]) -> str:
    fields = _fields_at(location[:-1], model)
    near = get_close_matches(str(location[-1]), fields, n=1)
    if near:
        return f"; did you mean {near[0]!r}?"
    return f"; the keys are {', '.join(fields)}" if fields else ""
