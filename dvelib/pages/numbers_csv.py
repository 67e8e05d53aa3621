"""Every number of a study in one long table, ours and the paper's, for people's own plots."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator

__all__ = ["COLUMNS", "numbers_csv"]

COLUMNS = {
    "profile": "which study",
    "table": "which of its tables",
    "kind": "row: the error of an embedding; reference: of an answer that needs no network; "
    "effect: the error of one row less that of another",
    "label": "what the number is of; of an effect, the second row",
    "compares": "of an effect, what the two rows differ by",
    "compared_with": "of an effect, the first row",
    "architecture": "of the row",
    "dimension": "of its descriptors",
    "exchange": "whether it learned with exchange",
    "finetuned": "whether it went on learning on the benchmark",
    "annotations": "how many annotated images, if few",
    "measure": "what was measured",
    "unit": "px of a 70-pixel face, or % of the inter-ocular distance",
    "source": "ours or paper",
    "value": "the number: a mean over test units and seeds",
    "low": "lower end of its 95 % interval",
    "high": "upper end",
    "spread": "standard deviation over seeds",
    "seeds": "how many",
    "dataset": "what ours was measured on",
    "images": "how many images of it",
    "published_images": "how many the published split has",
    "complete": "whether ours is the published split",
    "stand_in": "what the images are where they stand in for others",
    "embeddings": "names of the networks, one a seed",
    "commit": "of the code that trained them",
    "hardware": "that trained them",
    "recorded": "when",
    "digest": "of everything that the table's numbers rest on",
}
_OF_ROW = ("architecture", "dimension", "exchange", "finetuned", "annotations")
_OF_VALUE = ("low", "high", "spread", "seeds")


def numbers_csv(tables: Iterable[dict]) -> str:
    """The numbers of recorded tables as CSV, a line each; `COLUMNS` says what a line holds."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for results in tables:
        common = {"profile": results["profile"], "table": results["table"]}
        for line in _lines(results):
            made = _provenance(results) if line["source"] == "ours" else {}
            writer.writerow({**common, "unit": results["unit"], **line, **made})
    return text.getvalue()


def _lines(results: dict) -> Iterator[dict]:
    rows = {row["label"]: row for row in results["rows"]}
    for row in rows.values():
        yield from _row_lines(row)
    for label, measure, value in _references(results["references"]):
        yield {"kind": "reference", "label": label, "measure": measure, **_ours(value)}
    for effect in results["effects"]:
        yield from _effect_lines(effect, rows[effect["second"]])


def _row_lines(row: dict) -> Iterator[dict]:
    about = {"kind": "row", "label": row["label"], **{key: row[key] for key in _OF_ROW}}
    names = {"embeddings": " ".join(row["embeddings"])}
    for measure, value in row["ours"].items():
        yield {**about, **names, "measure": measure, **_ours(value)}
    # The deviation of a published mean is no number of its own.
    spread = row["published"].get("std_iod")
    for measure, value in row["published"].items():
        if measure != "std_iod":
            paper = {"source": "paper", "value": value, "spread": spread}
            yield {**about, "measure": measure, **paper}


def _references(references: dict) -> Iterator[tuple[str, str, dict | float]]:
    """Name, measure and value: of landmarks one a name, of matching by protocol and setting."""
    for name, content in references.items():
        if "mean" in content:
            yield name, "iod", content
            continue
        for method, by_setting in content.items():
            for setting, value in by_setting.items():
                yield method, setting if name == "published" else f"{setting}, {name}", value


def _effect_lines(effect: dict, row: dict) -> Iterator[dict]:
    about = {
        "kind": "effect",
        "label": effect["second"],
        "compares": effect["compares"],
        "compared_with": effect["first"],
        "measure": effect["measure"],
        **{key: row[key] for key in _OF_ROW},
    }
    if effect["seeds"]:
        numbers = {key: effect[key] for key in ("low", "high", "seeds")}
        yield {**about, "source": "ours", "value": effect["effect"], **numbers}
    if effect["published"] is not None:
        yield {**about, "source": "paper", "value": round(effect["published"], 2)}


def _ours(value: dict | float) -> dict:
    if not isinstance(value, dict):
        return {"source": "ours", "value": value}
    numbers = {key: value[key] for key in _OF_VALUE}
    return {"source": "ours", "value": value["mean"], **numbers}


def _provenance(results: dict) -> dict:
    data, made = results["data"], results["made"]
    return {
        "dataset": data["dataset"],
        "images": data["images"],
        "published_images": data["published"],
        "complete": data["complete"],
        "stand_in": data["stand_in"],
        "commit": made["Commit"],
        "hardware": made["Hardware"],
        "recorded": results["recorded"],
        "digest": results["digest"],
    }
