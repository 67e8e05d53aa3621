"""Sentences about a table: what begins its page, and what a change of the embedding does."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from dvelib.tables.base import StudyTable
from dvelib.tables.effects import change_text
from dvelib.tables.results import Effect, EffectNumbers

__all__ = ["change_sentences", "numbers_text", "opening", "verb"]


def opening(table: StudyTable, headline: str, claim: str = "The paper's claim") -> str:
    """The beginning of a table's page in markdown: title, finding, and the claim that it tests.

    ``claim``: what to call the claim, such as "The question" in a table of this study.
    """
    spec = table.spec
    return f"# {spec.title}\n\n**The finding.** {headline}\n\n**{claim}.** {spec.claim}"


def verb(numbers: EffectNumbers) -> str:
    """What a change does to an error, by the whole interval of its effect."""
    if numbers.low > 0:
        return "lowers"
    return "raises" if numbers.high < 0 else "does not clearly change"


def change_sentences(table: StudyTable, effects: Sequence[Effect], error: str) -> str:
    """What the first effect is, with its interval, and then which way the others go.

    ``effects``: of one change and measure; ``error``: what the measure is called. An empty text
    where there are none.
    """
    if not effects:
        return ""
    main, *others = effects
    rows = {row.label: row for row in table.rows}
    change = change_text(main, rows)
    text = (
        f"{change[0].upper()}{change[1:]} {verb(main.measured)} the {error} of {main.shared}: "
        f"{numbers_text(main.measured, table.unit)}."
    )
    ways = groupby(others, lambda effect: (change_text(effect, rows), verb(effect.measured)))
    return text + "".join(f" {_other(change, *way, list(same))}" for way, same in ways)


def numbers_text(m: EffectNumbers, unit: str) -> str:
    """The errors after and before a change, their difference and its interval."""
    return (
        f"{m.after:.2f} {unit} in place of {m.before:.2f} {unit} (difference {m.effect:.2f}, 95 % "
        f"interval {m.low:.2f} to {m.high:.2f})"
    )


def _other(main: str, change: str, does: str, effects: list[Effect]) -> str:
    """A sentence about effects of one change that all go one way."""
    subject = "It" if change == main else f"{change[0].upper()}{change[1:]}"
    shown = (
        f"{e.shared} ({e.measured.after:.2f} in place of {e.measured.before:.2f})" for e in effects
    )
    return f"{subject} {does} that of {', '.join(shown)}."
