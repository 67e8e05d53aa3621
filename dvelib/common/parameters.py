"""Reading parameter files. Each error is one sentence that names the file and the key."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from difflib import get_close_matches
from pathlib import Path
from typing import TypeVar, get_args

import yaml
from pydantic import BaseModel, ValidationError

from dvelib.common.errors import StudyError

__all__ = ["read_yaml", "validate"]

T = TypeVar("T", bound=BaseModel)


def validate(model: type[T], values: object, where: str) -> T:
    """The values as a ``model``; raises StudyError naming ``where`` and the key."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise StudyError(f"{where}: {_first_problem(error, model)}") from None


def read_yaml(model: type[T], path: Path, *otherwise: Path) -> T:
    """Read and check a parameter file, or the first of ``otherwise`` where it does not exist.

    Raises StudyError naming file and key, or the existing files where there is none of them.
    """
    paths = (path, *otherwise)
    existing = next((p for p in paths if p.exists()), None)
    if existing is None:
        stems = {p.stem for candidate in paths for p in candidate.parent.glob("*.yaml")}
        known = ", ".join(sorted(stems)) or "none"
        raise StudyError(f"there is no parameter file {path}; the existing ones are: {known}")
    path = existing
    try:
        values = yaml.load(path.read_text(encoding="utf-8"), _UniqueKeys)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise StudyError(f"{path} is not valid YAML: {_yaml_problem(error)}") from None
    return validate(model, values, str(path))


class _UniqueKeys(yaml.SafeLoader):
    """YAML in which a repeated key is an error; PyYAML would silently keep the last value."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        keys = [key.value for key, _ in node.value]
        for i, (key, _) in enumerate(node.value):
            if key.value in keys[:i]:
                problem = f"the key {key.value!r} is given twice"
                raise yaml.MarkedYAMLError(problem=problem, problem_mark=key.start_mark)
        return super().construct_mapping(node, deep)


def _yaml_problem(error: Exception) -> str:
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
    return f", which YAML reads as text: write {number:f}" if number.is_finite() else ""


def _fields_at(location: tuple, annotation: object) -> list[str]:
    """The keys allowed at a location inside a model."""
    if get_args(annotation):  # a tuple of models, an optional or an annotated one
        inner = [_fields_at(location, part) for part in get_args(annotation)]
        return next(filter(None, inner), [])
    if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
        return []
    fields = annotation.model_fields
    names = [part for part in location if isinstance(part, str)]
    return _fields_at(tuple(names[1:]), fields[names[0]].annotation) if names else list(fields)


def _did_you_mean(location: tuple, model: type[BaseModel]) -> str:
    fields = _fields_at(location[:-1], model)
    near = get_close_matches(str(location[-1]), fields, n=1)
    if near:
        return f"; did you mean {near[0]!r}?"
    return f"; the keys are {', '.join(fields)}" if fields else ""
