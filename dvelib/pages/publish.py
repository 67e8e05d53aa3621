"""Keeping the numbers and pictures of a finished study in git, and the README's own in step.

``outputs/published/<profile>/`` gets the results of each table, a README with the numbers to read,
all of them in ``results.csv``, what they say of the paper's claims in ``claims.md`` and, of drawn
faces, one figure; ``outputs/published/crowd.png`` shows the synthetic faces. The
project's README shows one study's numbers between markers, written from those files alone.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from matplotlib.figure import Figure

from dvelib.benchmarks.record import RESULTS
from dvelib.common.errors import StudyError
from dvelib.common.files import ROOT, atomic_path, read_json, write_json
from dvelib.data import FaceDataset
from dvelib.data.synthetic_dataset import render_split
from dvelib.evaluation.examples import example_matches
from dvelib.evaluation.matching_errors import PROTOCOLS, SETTINGS
from dvelib.pages.numbers_csv import numbers_csv
from dvelib.pages.readme import MATCHING, results_text, speed_text, summary_text
from dvelib.pages.verdicts import claims_text, judge
from dvelib.plots import faces_grid, matches
from dvelib.study.plan import Study
from dvelib.tables import MatchingTable

__all__ = [
    "leading_results",
    "publish",
    "publish_benchmark",
    "publish_weights",
    "published_results",
]

PUBLISHED = ROOT / "outputs" / "published"
README = ROOT / "README.md"
# Whose numbers the project's README shows: the first of these that was published.
LEADING = ("faces", "quick")
SHOWN = 6  # faces that the figure finds the landmarks in
MATCHES = "Landmarks of the left face found in six others, without and with exchange"
SPEED = re.compile(r"(<!-- speed -->\n).*?(<!-- /speed -->)", re.DOTALL)
MARKED = re.compile(r"(<!-- results -->\n).*?(<!-- /results -->)", re.DOTALL)


def publish(study: Study) -> Path:
    """Copy a finished study's results, draw its figure, rewrite the README; returns the folder.

    Raises StudyError where a table has no results, or those of other parameters, data or code.
    """
    folder = PUBLISHED / study.name
    for table in study.tables:
        path = study.table_folder(table) / "results.json"
        results = read_json(path) if path.exists() else {}
        if results.get("digest") != study.table_digest(table):
            raise StudyError(f"the table {table} has no results of today: run the study first")
        write_json(folder / f"{table}.json", results)
    # Drawn faces only: photographs of people stay out of version control.
    picture = ""
    if MATCHING in study.tables and study.profile.matching.data.name == "synthetic":
        _save(_effect(study), folder / "matches.png")
        picture = f"![{MATCHES}](matches.png)\n\n"
    crowd = render_split("train", 0, 48, size=96).images
    _save(faces_grid(crowd, columns=16), PUBLISHED / "crowd.png")
    _write(folder / "README.md", f"# {study.profile.title}\n\n{picture}{results_text(folder)}")
    results = published_results(folder)
    _write(folder / "results.csv", numbers_csv(results.values()))
    _write(folder / "claims.md", claims_text(judge(results)))
    _write(README, MARKED.sub(lambda m: m[1] + leading_results() + m[2], README.read_text()))
    return folder


def published_results(folder: Path) -> dict[str, dict]:
    """By table, what was published of a study."""
    return {path.stem: read_json(path) for path in sorted(folder.glob("*.json"))}


def leading_results() -> str:
    """The published numbers that the project's README shows, in markdown."""
    folders = (PUBLISHED / name for name in LEADING)
    folder = next(folder for folder in folders if folder.exists())
    return summary_text(folder, folder.relative_to(README.parent).as_posix())


def publish_weights(study: Study) -> list[Path]:
    """Make a study's small embeddings those that come along, and draw what they find.

    The picture is what the explorer begins with, on drawn faces. Returns the embeddings' folders.
    Raises StudyError where the study lacks one.
    """
    from dvelib.explore import Explorer
    from dvelib.pages.shipping import ship

    folders = ship(study)
    _save(Explorer().matches().figure, PUBLISHED / "exchange.png")
    return folders


def publish_benchmark(folder: Path) -> Path:
    """Keep a benchmark's results in git and rewrite the README's lines about speed."""
    results = read_json(folder / RESULTS)
    write_json(PUBLISHED / "benchmark.json", results)
    text = speed_text(results)
    _write(README, SPEED.sub(lambda m: m[1] + text + m[2], README.read_text()))
    return PUBLISHED / "benchmark.json"


def _write(path: Path, text: str) -> None:
    with atomic_path(path) as temporary:
        temporary.write_text(text)


def _effect(study: Study) -> Figure:
    """Matches at the largest dimension, with and without exchange, from a face chosen by rule.

    The source is the first face of the pair for which exchange changes the error by the median
    of all pairs: neither its best case nor its worst.
    """
    table = MatchingTable(MATCHING, study.name, study.data_root, outputs=study.outputs.parent)
    largest = max(row.spec.dimension for row in table.ran)
    labels = [row.label for row in table.ran if row.spec.dimension == largest]
    without, with_ = (table.pair_errors(label, PROTOCOLS[1], SETTINGS[1]) for label in labels)
    gap = (without - with_).iloc[: -SHOWN // 2]
    first = 2 * (gap - gap.median()).abs().idxmin()
    chosen = {label: table.first_seed[label] for label in labels}
    return matches(**example_matches(chosen, _from(table.faces, first), SHOWN))


def _from(faces: FaceDataset, first: int) -> FaceDataset:
    """The dataset from one image on."""
    return replace(
        faces,
        files=faces.files[first:],
        images=faces.images[first:],
        full_landmarks=faces.full_landmarks[first:],
    )


def _save(figure: Figure, path: Path) -> None:
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=90, bbox_inches="tight")
