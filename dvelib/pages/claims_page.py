"""The page of claims: each sentence with its verdict, its measurements and the paper's effect."""

from __future__ import annotations

from itertools import groupby

from markupsafe import Markup

from dvelib.common.markup import fill, table_html
from dvelib.pages.render import CLAIMS, INDEX, links
from dvelib.pages.verdicts import (
    EXPLAINED,
    NOT_REPRODUCED,
    NOT_TESTABLE,
    REPRODUCED,
    RULES,
    Finding,
    Measurement,
    count_verdicts,
)

__all__ = ["claims_by_verdict", "claims_of_tables", "claims_page"]

UNITS = {"px": "pixels of a 70-pixel face", "%": "percent of the inter-ocular distance"}


def claims_page(
    findings: list[Finding],
    study: str,
    about: str | None,
    pages: dict,
    *,
    before: tuple[str, str] | None = None,
    after: tuple[str, str] | None = None,
) -> Markup:
    """The whole page.

    ``study``: its title; ``about``: its description; ``pages``: by table, the address of its page.
    ``before``, ``after``: title and address of the neighbouring pages.
    """
    numbered = _numbered(findings)
    topics = groupby(numbered, key=lambda item: item[1].claim.topic)
    return fill(
        "claims",
        title="The paper's claims",
        study=study,
        about=about,
        explained=EXPLAINED,
        rules=RULES,
        links=links(INDEX, CLAIMS),
        counts=count_verdicts(findings),
        before=before,
        after=after,
        topics=[(topic, [_shown(*item, pages) for item in items]) for topic, items in topics],
    )


def claims_of_tables(findings: list[Finding]) -> dict[str, list[dict]]:
    """By table, the claims that its effects test: address from the index, sentence, verdict."""
    claims: dict[str, list[dict]] = {}
    for name, finding in _numbered(findings):
        line = _line(name, finding)
        for table in dict.fromkeys(m.table for m in finding.tested):
            claims.setdefault(table, []).append(line)
    return claims


def claims_by_verdict(findings: list[Finding]) -> list[tuple[str, list[dict]]]:
    """The claims of each verdict, as `claims_of_tables` writes them; only verdicts with claims."""
    lines = [_line(name, finding) for name, finding in _numbered(findings)]
    verdicts = (REPRODUCED, NOT_REPRODUCED, NOT_TESTABLE)
    groups = [(verdict, [c for c in lines if c["verdict"] == verdict]) for verdict in verdicts]
    return [(verdict, claims) for verdict, claims in groups if claims]


def _line(name: str, finding: Finding) -> dict:
    return {
        "address": f"{CLAIMS}#{name}",
        "sentence": finding.claim.sentence,
        "verdict": finding.verdict,
    }


def _numbered(findings: list[Finding]) -> list[tuple[str, Finding]]:
    """Each finding with the name of its place on the page."""
    return [(f"claim-{i}", finding) for i, finding in enumerate(findings, 1)]


def _shown(name: str, finding: Finding, pages: dict) -> dict:
    tables = {m.table: m.title for m in finding.measurements}
    missing = [m.reason for m in finding.measurements if m.verdict == NOT_TESTABLE]
    return {
        "id": name,
        "sentence": finding.claim.sentence,
        "expected": f"{finding.claim.expected} ({RULES[finding.claim.expected].words})",
        "verdict": finding.verdict,
        "summary": finding.summary,
        "tendency": finding.tendency,
        "tendencies": [f"{t.direction}: {t.text}" for t in finding.tendencies],
        "table": _table(finding.tested) if finding.tested else None,
        "sources": [(title, pages[key]) for key, title in tables.items() if pages.get(key)],
        "missing": dict.fromkeys(missing) if finding.tested else {},
    }


def _table(measurements: tuple[Measurement, ...]) -> Markup:
    import pandas

    index = pandas.Index([f"{m.first} → {m.second}" for m in measurements], name="first → second")
    frame = pandas.DataFrame(
        {
            "faces": [m.on for m in measurements],
            "errors": [f"{m.numbers.before:.2f} → {m.numbers.after:.2f}" for m in measurements],
            "effect": [m.effect_text for m in measurements],
            "paper": [m.published for m in measurements],
            "verdict": [f"{m.verdict}: {m.reason}" for m in measurements],
        },
        index=index,
    )
    return table_html(frame, _caption(measurements))


def _caption(measurements: tuple[Measurement, ...]) -> str:
    units = dict.fromkeys(UNITS[m.unit] for m in measurements)
    intervals = dict.fromkeys(m.interval for m in measurements)
    return f"{'; '.join(units).capitalize()}; in brackets the {'; '.join(intervals)}."
