"""A profile's site: every page, the index, the claims and the numbers, from recorded results.

It is built beside the old site and then takes its place, so no one sees a half-written site.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from dvelib.common.errors import StudyError
from dvelib.common.markup import fill
from dvelib.pages.cards import (
    ExpectedTable,
    TableCard,
    embedding_line,
    read_if_there,
    study_facts,
    table_card,
)
from dvelib.pages.claims_page import claims_page
from dvelib.pages.numbers_csv import COLUMNS, numbers_csv
from dvelib.pages.render import CLAIMS, INDEX, NUMBERS, links, render_titled
from dvelib.pages.verdicts import TableWithoutResults, count_verdicts, judge

__all__ = ["build_site"]

BENCHMARK, EXPLORER = "benchmark.html", "explore.html"


def build_site(
    profile_folder: Path,
    *,
    title: str,
    expected_tables: Sequence[ExpectedTable],
    expected_embeddings: list[str] | None = None,
) -> Path:
    """Render every page of a profile and its index into ``site/``; returns the index.

    ``expected_tables``: the tables of the study, in order; ``expected_embeddings``: names of its
    embeddings, None for all in the folder. Other files in the folders, and pages of an older site,
    are left out. A table whose results cannot be read is shown as out of date.
    Raises StudyError where the folder does not exist, or where another record is damaged; then
    the old site stays.
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
    folder: Path, building: Path, title: str, tables: list[TableCard], embeddings: list[dict]
) -> None:
    """Write what is about all tables: claims, numbers and index."""
    findings = judge([card.results or _without_results(card) for card in tables])
    current = [card.results for card in tables if card.results]
    about = current[0].profile.description if current else None
    pages = {card.name: card.page for card in tables}
    claims = claims_page(findings, title, about, pages)
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


def _without_results(card: TableCard) -> TableWithoutResults:
    return TableWithoutResults(card.name, card.kind, card.title, card.state)


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
