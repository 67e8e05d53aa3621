"""Executed notebooks as pages that stand alone, and the index of a profile's study.

Notable:

- A page is one file and asks nobody for anything: style and figures are inside, maths is
  MathML, and a content security policy makes the browser hold it to that.
- The index shows every table that is expected, also one that failed or never ran; a failure
  hides the numbers of an earlier success.
- The site is built beside the old one and swapped in, so a half-written one never looks whole.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from markupsafe import Markup

from dvelib.errors import StudyError
from dvelib.files import FAILURE, read_json
from dvelib.markup import MISSING, TEMPLATES, data_text, facts_html, fill, plain_text, table_html

if TYPE_CHECKING:
    from nbconvert import HTMLExporter

__all__ = ["build_site", "render"]

# Keys of the published numbers that do not speak for themselves.
_MEASURES = {
    "iod": "Error, % of inter-ocular distance",
    "mean_iod": "Mean error, % of inter-ocular distance",
    "std_iod": "Spread, % of inter-ocular distance",
}
_HEADING = re.compile(r"<h1[^>]*>(.*?)</h1>", re.DOTALL)


def render(notebook: Path, *, home: str | None = "../index.html") -> str:
    """An executed notebook as a complete HTML page; ``home``: the address of the index, if any."""
    import nbformat

    document = nbformat.read(notebook, as_version=4)
    body, _ = _exporter().from_notebook_node(document)
    heading = _HEADING.search(body)
    title = Markup(heading[1]).striptags() if heading else _title(notebook)
    return fill(
        "page", title=title, has_heading=bool(heading), body=Markup(body), home=home,
        executed=_execution(document.metadata.get("papermill", {})),
    )


@cache
def _exporter() -> HTMLExporter:
    from nbconvert import HTMLExporter
    from traitlets.config import Config

    # Static forms only: a live widget or script has nothing to run it on a page.
    shown = [
        "text/html", "text/markdown", "image/svg+xml", "image/png", "image/jpeg", "text/latex",
        "text/plain",
    ]
    return HTMLExporter(
        config=Config({"NbConvertBase": {"display_data_priority": shown}}),
        extra_template_basedirs=[str(TEMPLATES)],
        template_name="page",
        filters={"markdown2html": _markdown},
    )


def _markdown(source: str) -> str:
    from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

    renderer = IPythonRenderer(escape=False, exclude_anchor_links=True)
    renderer.inline_math = _mathml
    renderer.block_math = partial(_mathml, display="block")
    renderer.latex_environment = _environment_mathml
    return MarkdownWithMath(renderer).render(source)


def _mathml(latex: str, display: str = "inline") -> str:
    from latex2mathml.converter import convert

    markup = convert(latex.strip(), display=display)
    return f'<span class="equation">{markup}</span>' if display == "block" else markup


def _environment_mathml(name: str, body: str) -> str:
    return _mathml(f"\\begin{{{name}}}{body}\\end{{{name}}}", "block")


def _title(notebook: Path) -> str:
    return notebook.resolve().parent.name.replace("_", " ").capitalize()


def _execution(papermill: dict) -> str:
    """When and how long papermill ran the notebook, as far as it noted that."""
    if not papermill.get("end_time") or not papermill.get("duration"):
        return ""
    return f"{papermill['end_time'][:10]}, in {_duration(papermill['duration'])}"


def build_site(
    profile_folder: Path,
    *,
    title: str,
    expected_tables: list[dict],
    expected_embeddings: list[str] | None = None,
) -> Path:
    """Render every page of a profile and its index into ``site/``; returns the index.

    ``expected_tables``: ``{"name", "title"}`` of each, in order, perhaps with its ``"claim"`` and
    the ``"digest"`` that its results must carry to be shown;
    ``expected_embeddings``: the names that belong to the study as it is now, None for all there
    are. Whatever else lies in the folders, or lay in an older site, is left out.
    Raises StudyError where the folder does not exist.
    """
    folder = Path(profile_folder)
    if not folder.is_dir():
        raise StudyError(f"there is no profile folder {folder}")
    if expected_embeddings is None:
        expected_embeddings = sorted(p.name for p in folder.glob("embeddings/[!.]*") if p.is_dir())
    building = folder / f".site.{os.getpid()}"
    shutil.rmtree(building, ignore_errors=True)
    try:
        tables = [_table(folder, building, expected) for expected in expected_tables]
        embeddings = [_embedding(folder, building, name) for name in expected_embeddings]
        facts = _study_facts(folder.resolve().name, tables, embeddings)
        built = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
        page = fill(
            "index", title=title, facts=facts, tables=tables, embeddings=embeddings, built=built
        )
        building.mkdir(exist_ok=True)
        (building / "index.html").write_text(page, encoding="utf-8")
        _swap(building, folder / "site")
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return folder / "site" / "index.html"


def _swap(new: Path, site: Path) -> None:
    old = site.with_name(f".old{new.name}")
    if site.exists():
        os.replace(site, old)
    os.replace(new, site)
    shutil.rmtree(old, ignore_errors=True)


def _page(source: Path, building: Path) -> str | None:
    """Render a folder's page; its address from the index, or None where there is no page."""
    notebook = source / "page.ipynb"
    if not notebook.exists():
        return None
    address = f"{source.parent.name}/{source.name}.html"
    target = building / address
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(render(notebook), encoding="utf-8")
    return address


def _table(folder: Path, building: Path, expected: dict) -> dict:
    """What the index says about one table; its page is rendered on the way."""
    source = folder / "tables" / expected["name"]
    card = dict.fromkeys(("message", "headline", "data", "numbers", "wide", "page", "record"))
    card |= {"title": expected["name"], "claim": None} | expected
    failure, results = _read(source / FAILURE), _read(source / "results.json")
    if failure is not None:
        return card | {"state": "failed", "message": _message(failure)}
    if results is None or results.get("digest") != expected.get("digest"):
        # Numbers of other parameters, data or code are not the study's as it is now.
        return card | {"state": "not run yet" if results is None else "out of date"}
    return card | {
        "state": results.get("state", "complete"),
        "claim": results.get("claim", card["claim"]),
        "headline": results.get("headline"),
        "data": data_text(results.get("data")),
        **_numbers(results.get("rows") or []),
        "page": _page(source, building),
        "record": results.get("made"),
    }


def _embedding(folder: Path, building: Path, name: str) -> dict:
    """What the index says about one embedding; its page is rendered on the way."""
    source = folder / "embeddings" / name
    line = {"name": name, "message": None, "page": None, "record": None, "data": None}
    failure, made = _read(source / FAILURE), _read(source / "provenance.json")
    if failure is not None:
        return line | {"state": "failed", "message": _message(failure)}
    if made is None:
        return line | {"state": "not trained yet"}
    specification = _read(source / "specification.json") or {}
    facts = {**made, **{key: value for key, value in specification.items() if value is not None}}
    seconds = made.get("seconds")
    shown = ("architecture", "dimension", "exchange", "seed", "steps", "pairs_per_second")
    return line | {key: plain_text(facts.get(key), 1) for key in shown} | {
        "state": "complete",
        "data": data_text(made.get("data") or specification.get("data")),
        "time": MISSING if seconds is None else _duration(seconds),
        "page": _page(source, building),
        "record": made,
    }


def _read(path: Path) -> dict | None:
    """A JSON file, None where there is none; raises StudyError for a damaged one."""
    try:
        return read_json(path)
    except FileNotFoundError:
        return None
    except json.JSONDecodeError as error:
        raise StudyError(f"{path} is damaged ({error}): delete it and run again") from error


def _message(failure: dict) -> str:
    return failure.get("message") or "It stopped without saying why."


def _numbers(rows: list[dict]) -> dict:
    """Paper beside ours, by measure, as a table, and whether it needs the whole width."""
    import pandas

    pairs = [(row.get("published") or {}, row.get("ours") or {}) for row in rows]
    measures = dict.fromkeys(name for pair in pairs for numbers in pair for name in numbers)
    if not measures:
        return {}
    columns = {}
    for name in measures:
        title = _MEASURES.get(name) or name.replace("-", " ").replace("_", " ").capitalize()
        if any(name in paper for paper, _ in pairs):
            columns[title, "Paper"] = [paper.get(name) for paper, _ in pairs]
        columns[title, "Ours"] = [_ours_text(ours.get(name)) for _, ours in pairs]
    labels = pandas.Index([row.get("label", "") for row in rows])
    table = table_html(pandas.DataFrame(columns, index=labels), _numbers_caption(pairs))
    return {"numbers": table, "wide": len(columns) > 3}


def _ours_text(value: dict | float | None) -> str:
    if not isinstance(value, dict):
        return plain_text(value)
    mean, spread = value.get("mean"), value.get("spread")
    return plain_text(mean) if spread is None else f"{plain_text(mean)} ± {plain_text(spread)}"


def _numbers_caption(pairs: list[tuple[dict, dict]]) -> str:
    values = [value for _, ours in pairs for value in ours.values() if isinstance(value, dict)]
    seeds = sorted({value["seeds"] for value in values if value.get("spread") is not None})
    spread = f"; mean ± spread over {' or '.join(map(str, seeds))} seeds" if seeds else ""
    return f"Published and measured numbers{spread}"


def _study_facts(profile: str, tables: list[dict], embeddings: list[dict]) -> Markup:
    """What the whole index rests on: profile, data, how far it came, what made it."""
    everything = [*embeddings, *tables]
    records = [item["record"] or {} for item in everything]
    facts = {
        "Profile": profile,
        "Data": _distinct(item["data"] for item in everything),
        "Tables": _states(tables),
        "Embeddings": _states(embeddings),
        "Hardware": _distinct(record.get("hardware") for record in records),
        "Training time, in all": _duration(sum(item.get("seconds") or 0 for item in records)),
    }
    return facts_html({name: text for name, text in facts.items() if text})


def _distinct(texts: Iterable[str | None]) -> str:
    return "; ".join(dict.fromkeys(text for text in texts if text))


def _states(items: list[dict]) -> str:
    counts = Counter(item["state"] for item in items)
    return ", ".join(f"{count} {state}" for state, count in counts.items()) or "none"


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60:02d} min"
