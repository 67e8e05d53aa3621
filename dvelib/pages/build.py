"""A profile's site: every page, the index, the claims and the numbers, from recorded results.

It is built beside the old site and then takes its place, so no one sees a half-written site.
"""

from __future__ import annotations

import os
import posixpath
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from markupsafe import Markup

from dvelib.common.errors import StudyError
from dvelib.common.files import ROOT
from dvelib.common.markup import TEMPLATES, fill
from dvelib.pages.cards import (
    ExpectedTable,
    TableCard,
    embedding_line,
    read_if_there,
    study_facts,
    table_card,
)
from dvelib.pages.claims_page import claims_by_verdict, claims_of_tables, claims_page
from dvelib.pages.numbers_csv import COLUMNS, numbers_csv
from dvelib.pages.reliability_page import RELIABILITY, reliability_page
from dvelib.pages.render import (
    CLAIMS,
    INDEX,
    NUMBERS,
    Around,
    convert_notebook,
    equation,
    links,
    page_of,
    render,
    stripped,
)
from dvelib.pages.summary import summary_html
from dvelib.pages.verdicts import Finding, TableWithoutResults, count_verdicts, judge

__all__ = ["build_site"]

RECORD = ROOT / "outputs" / "published" / "reliability.json"
BENCHMARK = "benchmark.html"
LESSON = ROOT / "notebooks" / "how_dve_works.ipynb"
CURVE = "learning_curve"
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
        others = _others(folder)
        around = _neighbours(tables, embeddings, others)
        _write_tables(building, tables, embeddings, findings, around)
        _write_embeddings(building, embeddings, around)
        for other in others:
            page = page_of(other["converted"], INDEX, around[other["page"]])
            (building / other["page"]).write_text(page, encoding="utf-8")
        _write_claims(building, title, tables, findings, around[CLAIMS])
        _write_index(folder, building, title, tables, embeddings, findings, others)
        _swap(building, folder / "site")
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return folder / "site" / INDEX


def _neighbours(
    tables: list[TableCard], embeddings: list[dict], others: list[dict]
) -> dict[str, Around]:
    """By page, those before and after it: index, claims, tables, other pages, embeddings."""
    order = [("All tables", INDEX), ("The paper's claims", CLAIMS)]
    order += [(card.title, card.page) for card in tables if card.page]
    order += [(other["title"], other["page"]) for other in others]
    order += [(line["name"], line["page"]) for line in embeddings if line["page"]]
    around = {}
    for i, (_, page) in enumerate(order):
        seen = [(title, _seen_from(page, address)) for title, address in order]
        before, after = seen[:i][-1:], seen[i + 1 : i + 2]
        around[page] = Around(before=next(iter(before), None), after=next(iter(after), None))
    return around


def _seen_from(page: str, address: str) -> str:
    """The address of one page of the site in a link on another."""
    return posixpath.relpath(address, posixpath.dirname(page) or ".")


def _write_tables(
    building: Path,
    tables: list[TableCard],
    embeddings: list[dict],
    findings: list[Finding],
    around: dict[str, Around],
) -> None:
    """Write a page for each table that has one, and its notebook without outputs."""
    claims = claims_of_tables(findings)
    pages = {line["name"]: line["page"] for line in embeddings if line["page"]}
    (building / "tables").mkdir()
    for card in tables:
        if not card.page:
            continue
        rows = card.results.rows
        used = dict.fromkeys(name for row in rows for name in row.embeddings if name in pages)
        more = replace(
            around[card.page],
            claims=[c | {"address": f"../{c['address']}"} for c in claims.get(card.name, ())],
            embeddings=[(name, f"../{pages[name]}") for name in used],
        )
        _write_page(building, card.page, card.notebook, more)


def _write_embeddings(building: Path, embeddings: list[dict], around: dict[str, Around]) -> None:
    (building / "embeddings").mkdir()
    for line in embeddings:
        if line["page"]:
            _write_page(building, line["page"], line["notebook"], around[line["page"]])


def _write_page(building: Path, address: str, notebook: Path, around: Around) -> None:
    """Write a page and, beside it, its notebook without outputs."""
    target = (building / address).with_suffix(".ipynb")
    target.write_text(stripped(notebook), encoding="utf-8")
    page = render(notebook, around=replace(around, download=target.name))
    (building / address).write_text(page, encoding="utf-8")


def _write_claims(
    building: Path, title: str, tables: list[TableCard], findings: list[Finding], around: Around
) -> None:
    about = next((card.results.profile.description for card in tables if card.results), None)
    pages = {card.name: card.page for card in tables}
    page = claims_page(findings, title, about, pages, before=around.before, after=around.after)
    (building / CLAIMS).write_text(page, encoding="utf-8")


def _write_index(
    folder: Path,
    building: Path,
    title: str,
    tables: list[TableCard],
    embeddings: list[dict],
    findings: list[Finding],
    others: list[dict],
) -> None:
    """Write the index and what it offers beside pages: the numbers, the lesson, the functions."""
    current = [card.results for card in tables if card.results]
    (building / NUMBERS).write_text(numbers_csv(current), encoding="utf-8")
    tested = claims_of_tables(findings)
    more = [_api(folder / "api", building / "api"), _reliability(building)]
    index = fill(
        "index",
        title=title,
        diagram=Markup((TEMPLATES / "method.svg").read_text(encoding="utf-8")),
        plain=Markup(equation(PLAIN)),
        exchange=Markup(equation(EXCHANGE)),
        headline=next((r.headline for r in current if r.table == LEADING), None),
        verdicts=count_verdicts(findings),
        claims=claims_by_verdict(findings),
        summary=summary_html(current),
        facts=study_facts(folder.resolve().name, tables, embeddings),
        tables=tables,
        counts={
            card.name: Counter(claim["verdict"] for claim in tested.get(card.name, ()))
            for card in tables
        },
        pages=[*others, *filter(None, more)],
        benchmark=any(other["page"] == BENCHMARK for other in others),
        curve=next((card.page for card in tables if card.name == CURVE), None),
        lesson=_lesson(building),
        embeddings=embeddings,
        open_embeddings=any(line["state"] != "complete" for line in embeddings),
        columns=COLUMNS,
        links=links(INDEX, INDEX),
        built=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    )
    (building / INDEX).write_text(index, encoding="utf-8")


def _without_results(card: TableCard) -> TableWithoutResults:
    return TableWithoutResults(card.name, card.kind, card.title, card.state)


def _others(folder: Path) -> list[dict]:
    """The pages that are no table: address, title, headline and converted notebook of each."""
    sources = {
        "explore.html": folder / "explore",
        BENCHMARK: folder.parent / "benchmark",
    }
    found = []
    for page, source in sources.items():
        if (notebook := source / "page.ipynb").exists():
            results = read_if_there(source / "results.json") or {}
            converted = convert_notebook(notebook)
            about = {"page": page, "title": converted.title, "converted": converted}
            found.append(about | {"headline": results.get("headline")})
    return found


def _lesson(building: Path) -> str | None:
    """Copy the notebook that teaches the method; its address, None where there is none."""
    if not LESSON.exists():
        return None
    shutil.copyfile(LESSON, building / LESSON.name)
    return LESSON.name


def _api(source: Path, target: Path) -> dict | None:
    """Copy the pages of functions and classes, if they were made."""
    if not (source / INDEX).exists():
        return None
    shutil.copytree(source, target)
    return {"page": f"{target.name}/{INDEX}", "title": "Functions and classes", "headline": None}


def _reliability(building: Path) -> dict | None:
    """Write the page on damaged files and killed studies, if they were measured."""
    if not RECORD.exists():
        return None
    page = reliability_page(RECORD)
    (building / RELIABILITY).write_text(page, encoding="utf-8")
    return {"page": RELIABILITY, "title": "Reliability", "headline": None}


def _swap(new: Path, site: Path) -> None:
    old = site.with_name(f".old{new.name}")
    if site.exists():
        os.replace(site, old)
    os.replace(new, site)
    shutil.rmtree(old, ignore_errors=True)
