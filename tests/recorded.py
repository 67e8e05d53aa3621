"""Results of a table as its notebook would record them, from errors that a test chooses."""

from __future__ import annotations

from collections.abc import Callable

from dvelib.checkpoints.specifications import read_yaml
from dvelib.common.files import ROOT
from dvelib.paper.numbers import published_experiments
from dvelib.study.profiles import RowSpec, TableSpec
from dvelib.tables.effects import BASELINE, row_pairs

SETTINGS = ("same-identity", "different-identity")
COSINE = "same-identity, published, by cosine"
EFFECT = ("before", "after", "effect", "low", "high", "seeds")
TRIVIAL = 30.0  # error of the answer that needs no network


def table_names() -> list[str]:
    return sorted(path.stem for path in (ROOT / "params").glob("*.yaml"))


def printed(row: RowSpec, measure: str) -> float | None:
    """The paper's error of a row, None where it prints none."""
    return published_experiments().get(row.published, {}).get(measure)


def recorded(
    name: str, error: Callable[[RowSpec, str], float | None], width: float = 0.002
) -> dict:
    """Results whose errors are ``error(row, measure)``, None for a row that did not run.

    ``width``: of all intervals.
    """
    table = read_yaml(TableSpec, ROOT / "params" / f"{name}.yaml")
    measures = _measures(name, table)
    pairs = [*row_pairs(table.rows), *((BASELINE, None, row) for row in table.rows)]
    matching = table.measures == "matching"
    trivial = "same place" if matching else "mean training shape"
    return {
        "table": name,
        "title": table.title,
        "claim": table.claim,
        "profile": "smoke",
        "digest": "today",
        "state": "complete",
        "headline": "So it is.",
        "unit": "px" if matching else "%",
        "interval": "95 % interval of a test",
        "rows": [_row(row, {m: error(row, m) for m in measures}, width) for row in table.rows],
        "effects": [
            _effect(what, first, second, measure, error, width, trivial)
            for what, first, second in pairs
            for measure in measures
        ],
        "references": {"published": {trivial: dict.fromkeys(SETTINGS, TRIVIAL)}}
        if matching
        else {trivial: _value(TRIVIAL, width)},
        "data": {
            "dataset": "Drawn faces",
            "split": "test",
            "images": 8,
            "published": None,
            "complete": False,
            "stand_in": None,
        },
        "made": {
            "Profile": "smoke: A study for tests.",
            "Hardware": "an abacus",
            "Commit": "0123abc",
        },
        "recorded": "2019-10-27T00:00:00+00:00",
    }


def of_the_paper(name: str) -> dict:
    """Results that are the paper's, and what it leaves out as its other tables have it."""

    def error(row: RowSpec, measure: str) -> float | None:
        found = printed(row, measure)
        if found is not None or not name.startswith("finetuned_matching_"):
            return found
        # Not printed: matching on a benchmark before fine-tuning, and by cosine.
        return 1.3 if measure == COSINE or row.architecture == "smallnet" else 1.0

    return recorded(name, error)


def _measures(name: str, table: TableSpec) -> tuple[str, ...]:
    if table.measures == "matching":
        return (*SETTINGS, COSINE) if name.startswith("finetuned") else SETTINGS
    return ("mean_iod",) if name == "limited_annotations" else ("iod",)


def _value(error: float, width: float) -> dict:
    ends = {"low": error - width / 2, "high": error + width / 2}
    return {"mean": error, **ends, "spread": None, "seeds": 1}


def _row(row: RowSpec, errors: dict[str, float | None], width: float) -> dict:
    return {
        "label": row.label,
        **row.model_dump(exclude={"published"}),
        "published": published_experiments().get(row.published, {}),
        "ours": {m: _value(e, width) for m, e in errors.items() if e is not None},
        "embeddings": [],
        "regressors": [],
    }


def _effect(what, first, second, measure, error, width, trivial) -> dict:
    before = TRIVIAL if first is None else error(first, measure)
    after = error(second, measure)
    line = {"compares": what, "measure": measure, "second": second.label}
    line["first"] = first.label if first else trivial
    paper = (printed(row, measure) if row else None for row in (first, second))
    one, other = paper
    line["published"] = None if None in (one, other) else one - other
    if None in (before, after):
        return line | dict.fromkeys(EFFECT)
    gap = before - after
    numbers = (before, after, gap, gap - width / 2, gap + width / 2, 1)
    return line | dict(zip(EFFECT, numbers, strict=True))
