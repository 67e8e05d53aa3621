"""A profile's site: every page, the index, the claims and the numbers, from recorded results.

It is built beside the old one and swapped in, so a half-written one never looks whole.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from dvelib.common.errors import StudyError
from dvelib.common.markup import fill
from dvelib.pages.cards import embedding_line, read_if_there, study_facts, table_card
from dvelib.pages.claims_page import claims_page
from dvelib.pages.numbers_csv import COLUMNS, numbers_csv
from dvelib.pages.render import CLAIMS, INDEX, NUMBERS, links, render_titled
from dvelib.pages.verdicts import count_verdicts, judge

__all__ = ["build_site"]

BENCHMARK, EXPLORER = "benchmark.html", "explore.html"


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
    building.mkdir()
    try:
        tables = [table_card(folder, building, expected) for expected in expected_tables]
        embeddings = [embedding_line(folder, building, name) for name in expected_embeddings]
        _write_frame(folder, building, title, tables, embeddings)
        _swap(building, folder / "site")
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return folder / "site" / INDEX


def _write_frame(
    folder: Path, building: Path, title: str, tables: list[dict], embeddings: list[dict]
) -> None:
    """Whatever speaks of all tables at once: claims, numbers and index."""
    findings = judge({card["name"]: card["results"] or card for card in tables})
    current = [card["results"] for card in tables if card["results"]]
    pages = {card["name"]: card["page"] for card in tables}
    claims = claims_page(findings, title, _about(current), pages)
    (building / CLAIMS).write_text(claims, encoding="utf-8")
    (building / NUMBERS).write_text(numbers_csv(current), encoding="utf-8")
    index = fill(
        "index",
        title=title,
        facts=study_facts(folder.resolve().name, tables, embeddings),
        tables=tables,
        embeddings=embeddings,
        verdicts=count_verdicts(findings),
        benchmark=_page(folder.parent / "benchmark", building / BENCHMARK),
        explorer=_page(folder / "explore", building / EXPLORER),
        columns=COLUMNS,
        links=links(INDEX, INDEX),
        built=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    )
    (building / INDEX).write_text(index, encoding="utf-8")


def _about(current: Iterable[dict]) -> str | None:
    """What the study is, as its tables recorded it."""
    made = (results.get("made") or {} for results in current)
    return next((m["Profile"].partition(": ")[2] for m in made if "Profile" in m), None)


def _page(source: Path, target: Path) -> dict | None:
    """Render a page that is no table; its address, title and headline, None where there is none."""
    notebook = source / "page.ipynb"
    if not notebook.exists():
        return None
    title, page = render_titled(notebook, INDEX)
    target.write_text(page, encoding="utf-8")
    results = read_if_there(source / "results.json") or {}
    return {"page": target.name, "title": title, "headline": results.get("headline")}


def _swap(new: Path, site: Path) -> None:
    old = site.with_name(f".old{new.name}")
    if site.exists():
        os.replace(site, old)
    os.replace(new, site)
    shutil.rmtree(old, ignore_errors=True)
