"""A profile's site: every page, the index, the claims and the numbers, from recorded results.

It is built beside the old site and then takes its place, so no one sees a half-written site.
"""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from markupsafe import Markup

from dvelib.common.errors import StudyError
from dvelib.common.markup import TEMPLATES, fill
from dvelib.pages.cards import (
    ExpectedTable,
    TableCard,
    embedding_line,
    read_if_there,
    study_facts,
    table_card,
)
from dvelib.pages.claims_page import claims_of_tables, claims_page
from dvelib.pages.numbers_csv import COLUMNS, numbers_csv
from dvelib.pages.render import (
    CLAIMS,
    INDEX,
    NUMBERS,
    Around,
    equation,
    links,
    render,
    render_titled,
    stripped,
)
from dvelib.pages.summary import summary_html
from dvelib.pages.verdicts import Finding, TableWithoutResults, count_verdicts, judge

__all__ = ["build_site"]

LEADING = "ablation_exchange_matching"  # the table whose finding the index says first
# The losses, as the README prints them: of pixels u of the source and v of its warped view.
PLAIN = (
    r"\mathcal{L} = \frac{1}{|\Omega|} \sum_u \sum_v \| g(u) - v \|^{1/2} \;"
    r" \mathrm{softmax}_v \, \langle f_u, f'_v \rangle"
)
EXCHANGE = r"\hat{f}_u = \sum_w \mathrm{softmax}_w \, \langle f_u, f^a_w \rangle \; f^a_w"


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
        tables = [table_card(folder, expected) for expected in expected_tables]
        embeddings = [embedding_line(folder, name) for name in expected_embeddings]
        findings = judge([card.results or _without_results(card) for card in tables])
        _write_tables(building, tables, embeddings, findings)
        _write_embeddings(building, embeddings)
        _write_frame(folder, building, title, tables, embeddings, findings)
        _swap(building, folder / "site")
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return folder / "site" / INDEX


def _write_tables(
    building: Path, tables: list[TableCard], embeddings: list[dict], findings: list[Finding]
) -> None:
    """Write a page for each table that has one, and its notebook without outputs."""
    shown = [card for card in tables if card.page]
    claims = claims_of_tables(findings)
    pages = {line["name"]: line["page"] for line in embeddings if line["page"]}
    (building / "tables").mkdir()
    for i, card in enumerate(shown):
        rows = card.results.rows
        used = dict.fromkeys(name for row in rows for name in row.embeddings if name in pages)
        around = Around(
            claims=[c | {"address": f"../{c['address']}"} for c in claims.get(card.name, ())],
            before=_neighbour(shown[i - 1]) if i else None,
            after=_neighbour(shown[i + 1]) if i + 1 < len(shown) else None,
            embeddings=[(name, f"../{pages[name]}") for name in used],
            download=f"{card.name}.ipynb",
        )
        page = render(card.notebook, around=around)
        (building / card.page).write_text(page, encoding="utf-8")
        notebook = (building / card.page).with_suffix(".ipynb")
        notebook.write_text(stripped(card.notebook), encoding="utf-8")


def _neighbour(card: TableCard) -> tuple[str, str]:
    return card.title, f"{card.name}.html"


def _write_embeddings(building: Path, embeddings: list[dict]) -> None:
    (building / "embeddings").mkdir()
    for line in embeddings:
        if line["page"]:
            (building / line["page"]).write_text(render(line["notebook"]), encoding="utf-8")


def _write_frame(
    folder: Path,
    building: Path,
    title: str,
    tables: list[TableCard],
    embeddings: list[dict],
    findings: list[Finding],
) -> None:
    """Write what is about all tables: claims, numbers and index."""
    current = [card.results for card in tables if card.results]
    about = current[0].profile.description if current else None
    pages = {card.name: card.page for card in tables}
    claims = claims_page(findings, title, about, pages)
    (building / CLAIMS).write_text(claims, encoding="utf-8")
    (building / NUMBERS).write_text(numbers_csv(current), encoding="utf-8")
    tested = claims_of_tables(findings)
    benchmark = _page(folder.parent / "benchmark", building / "benchmark.html")
    others = [
        _page(folder / "explore", building / "explore.html"),
        _page(folder / "findings", building / "findings.html"),
        benchmark,
        _api(folder / "api", building / "api"),
    ]
    index = fill(
        "index",
        title=title,
        diagram=Markup((TEMPLATES / "method.svg").read_text(encoding="utf-8")),
        plain=Markup(equation(PLAIN)),
        exchange=Markup(equation(EXCHANGE)),
        headline=next((r.headline for r in current if r.table == LEADING), None),
        verdicts=count_verdicts(findings),
        summary=summary_html(current),
        facts=study_facts(folder.resolve().name, tables, embeddings),
        tables=tables,
        counts={
            card.name: Counter(claim["verdict"] for claim in tested.get(card.name, ()))
            for card in tables
        },
        pages=[page for page in others if page],
        benchmark=benchmark,
        embeddings=embeddings,
        open_embeddings=any(line["state"] != "complete" for line in embeddings),
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


def _api(source: Path, target: Path) -> dict | None:
    """Copy the pages of functions and classes, if they were made."""
    if not (source / INDEX).exists():
        return None
    shutil.copytree(source, target)
    return {"page": f"{target.name}/{INDEX}", "title": "Functions and classes", "headline": None}


def _swap(new: Path, site: Path) -> None:
    old = site.with_name(f".old{new.name}")
    if site.exists():
        os.replace(site, old)
    os.replace(new, site)
    shutil.rmtree(old, ignore_errors=True)
