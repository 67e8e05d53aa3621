"""Keeping the numbers and pictures of a finished study in git, and the README's numbers current.

``outputs/published/<profile>/`` gets the results of each table, a README with numbers to read, all
numbers in ``results.csv``, verdicts on the paper's claims in ``claims.md`` and, for drawn faces,
one figure. ``outputs/published/crowd.png`` shows the synthetic faces, and
``outputs/published/findings`` the findings on real faces with a figure each. The project's README
shows the numbers of one study between markers, written from those files alone.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from dvelib.benchmarks.record import RESULTS
from dvelib.common.errors import StudyError
from dvelib.common.files import ROOT, atomic_path, read_json, write_json
from dvelib.data.synthetic_dataset import render_split
from dvelib.evaluation.examples import example_matches
from dvelib.evaluation.matching_errors import PROTOCOLS, SETTINGS
from dvelib.pages.findings import write_findings
from dvelib.pages.numbers_csv import numbers_csv
from dvelib.pages.readme import MATCHING, results_text, speed_text, summary_text
from dvelib.pages.verdicts import claims_text, judge
from dvelib.plots import faces_grid, matches
from dvelib.study.earlier_names import present_names
from dvelib.study.plan import Study
from dvelib.tables.matching_table import MatchingTable
from dvelib.tables.measures import matching_measure
from dvelib.tables.results import RowResults, TableResults, read_results, write_results

__all__ = [
    "leading_results",
    "publish",
    "publish_benchmark",
    "publish_weights",
    "published_results",
    "rename_published",
    "share_benchmark",
    "write_texts",
]

PUBLISHED = ROOT / "outputs" / "published"
README = ROOT / "README.md"
# The project's README shows the first of these profiles that was published.
LEADING = ("faces", "quick")
SHOWN = 6  # faces that the figure finds the landmarks in
MATCHES = "Landmarks of the left face found in six others, without and with exchange"
SPEED = re.compile(r"(<!-- speed -->\n).*?(<!-- /speed -->)", re.DOTALL)
MARKED = re.compile(r"(<!-- results -->\n).*?(<!-- /results -->)", re.DOTALL)


def publish(study: Study) -> Path:
    """Copy a finished study's results, draw its figure, rewrite the README; returns the folder.

    Raises StudyError where a table has no results, or results of other parameters, data or code.
    """
    folder = PUBLISHED / study.name
    for table in study.tables:
        write_results(folder / f"{table}.json", _current_results(study, table))
    # Drawn faces only: photographs of people stay out of version control.
    picture = ""
    if MATCHING in study.tables and study.profile.matching.data.name == "synthetic":
        _save(_effect(study), folder / "matches.png")
        picture = f"![{MATCHES}](matches.png)\n\n"
    crowd = render_split("train", 0, 48, size=96).images
    _save(faces_grid(crowd, columns=16), PUBLISHED / "crowd.png")
    write_texts(folder, f"# {study.profile.title}\n\n{picture}")
    if study.name == LEADING[0]:
        write_findings(PUBLISHED / "findings", study.name)
    _write(README, MARKED.sub(lambda m: m[1] + leading_results() + m[2], README.read_text()))
    return folder


def _current_results(study: Study, table: str) -> TableResults:
    try:
        results = read_results(study.table_folder(table) / "results.json")
    except FileNotFoundError:
        results = None
    if results is None or results.digest != study.table_digest(table):
        raise StudyError(
            f"the table {table} has no results of the current parameters, data and code: "
            f"run `dve study --profile {study.name}` first"
        )
    return results


def write_texts(folder: Path, opening: str) -> None:
    """Write README, results.csv and claims.md of a published study from its results.

    ``opening``: with which the README begins.
    """
    results = published_results(folder)
    _write(folder / "README.md", opening + results_text(results))
    _write(folder / "results.csv", numbers_csv(results))
    _write(folder / "claims.md", claims_text(judge(results)))


def published_results(folder: Path) -> list[TableResults]:
    """The results of a published study, by the names of its tables."""
    return [read_results(path) for path in sorted(folder.glob("*.json"))]


def rename_published(study: Study) -> list[Path]:
    """Write present names of trainings into a study's published results; returns what changed.

    See `dvelib.study.earlier_names`.
    """
    names, changed = present_names(study), []
    for path in sorted((PUBLISHED / study.name).glob("*.json")):
        results = read_results(path)
        rows = tuple(_renamed(row, names) for row in results.rows)
        if rows != results.rows:
            write_results(path, results.model_copy(update={"rows": rows}))
            changed.append(path)
    if changed:
        folder = PUBLISHED / study.name
        _write(folder / "results.csv", numbers_csv(published_results(folder)))
    return changed


def _renamed(row: RowResults, names: dict[str, str]) -> RowResults:
    embeddings, regressors = (
        tuple(names.get(name, name) for name in held) for held in (row.embeddings, row.regressors)
    )
    return row.model_copy(update={"embeddings": embeddings, "regressors": regressors})


def leading_results() -> str:
    """The published numbers that the project's README shows, in markdown."""
    folders = (PUBLISHED / name for name in LEADING)
    folder = next(folder for folder in folders if folder.exists())
    address = folder.relative_to(README.parent).as_posix()
    return summary_text(published_results(folder), address)


def publish_weights(study: Study) -> list[Path]:
    """Store a study's small embeddings as the pretrained ones, and draw their matches.

    The picture shows the explorer's first matches, on drawn faces; the live explorer shows drawn
    faces too. Returns the embeddings' folders.
    Raises StudyError where the study lacks one.
    """
    from dvelib.explore import Explorer
    from dvelib.explore.live_page import write_live_page
    from dvelib.explore.matches_figure import matches_figure
    from dvelib.pages.shipping import ship

    folders = ship(study)
    gallery = Explorer()
    labels, scene = gallery.pair(), gallery.scene()
    shown = matches_figure(scene, labels, *scene.typical_question(*labels))
    _save(shown, PUBLISHED / "exchange.png")
    write_live_page(PUBLISHED / "explorer.html")
    return folders


def publish_benchmark(folder: Path) -> Path:
    """Keep a benchmark's results in git and rewrite the README's lines about speed."""
    results = read_json(folder / RESULTS)
    write_json(PUBLISHED / "benchmark.json", results)
    text = speed_text(results)
    _write(README, SPEED.sub(lambda m: m[1] + text + m[2], README.read_text()))
    return PUBLISHED / "benchmark.json"


def share_benchmark(folder: Path) -> Path:
    """Keep a benchmark's results in git beside those of other machines, named by the hardware.

    Raises StudyError for the tiny problems of tests.
    """
    results = read_json(folder / RESULTS)
    if results["small"]:
        raise StudyError("these are results of tiny problems: measure without --small to share")
    hardware = re.sub(r"\W+", "-", results["made"]["Hardware"]).strip("-").lower()
    path = PUBLISHED / "benchmarks" / f"{hardware}.json"
    write_json(path, results)
    return path


def _write(path: Path, text: str) -> None:
    with atomic_path(path) as temporary:
        temporary.write_text(text)


def _effect(study: Study) -> Figure:
    """Matches at the largest dimension, without and with exchange, from a face chosen by rule.

    The source is the first face of the pair for which exchange changes the error by the median
    change of all pairs.
    """
    table = MatchingTable(MATCHING, study.name, study.data_root, outputs=study.outputs.parent)
    largest = max(row.spec.dimension for row in table.rows_with_results)
    labels = [row.label for row in table.rows_with_results if row.spec.dimension == largest]
    across = matching_measure(SETTINGS[1], PROTOCOLS[1]).name
    without, with_ = (table.statistics.pair_errors(label, across) for label in labels)
    gap = (without - with_).iloc[: -SHOWN // 2]
    first = 2 * (gap - gap.median()).abs().idxmin()
    chosen = {label: table.first_seed[label] for label in labels}
    faces = table.test_faces.chosen(np.arange(first, len(table.test_faces)))
    return matches(**example_matches(chosen, faces, SHOWN))


def _save(figure: Figure, path: Path) -> None:
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=90, bbox_inches="tight")
