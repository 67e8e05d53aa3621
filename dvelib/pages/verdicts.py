"""What a study's recorded results say of the paper's claims: measurements, verdicts, reasons.

Notable:

- Each effect that a claim speaks of is one measurement with a verdict by `RULES`. A claim is
  reproduced if all of its measurements are, not testable if none could be taken.
- All rules are about the 95 % interval, never about the mean alone: an effect that could be none
  does not reproduce a claim that there is one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from dvelib.common.markup import data_name, plain_text
from dvelib.paper.claims import CLAIMS, Claim

__all__ = [
    "EXPLAINED",
    "NOT_REPRODUCED",
    "NOT_TESTABLE",
    "REPRODUCED",
    "RULES",
    "Finding",
    "Measurement",
    "claims_text",
    "count_verdicts",
    "judge",
]

REPRODUCED, NOT_REPRODUCED = "reproduced", "not reproduced"
NOT_TESTABLE = "not testable on this data"
MARGIN = 0.1  # of the error before: a change within it is little


@dataclass(frozen=True)
class Rule:
    """When an interval bears a claim out: in words, and as a test of low, high and margin."""

    words: str
    holds: Callable[[float, float, float], bool]
    signed: bool = True


RULES = {
    "smaller": Rule("the whole interval lies above zero", lambda low, high, _: low > 0),
    "clearly smaller": Rule(
        f"the whole interval lies above {MARGIN:.0%} of the error before",
        lambda low, high, margin: low > margin,
        signed=False,
    ),
    "larger": Rule("the whole interval lies below zero", lambda low, high, _: high < 0),
    "not larger": Rule(
        f"the interval stays above minus {MARGIN:.0%} of the error before",
        lambda low, high, margin: low > -margin,
        signed=False,
    ),
    "little different": Rule(
        f"the interval stays within {MARGIN:.0%} of the error before",
        lambda low, high, margin: -margin < low and high < margin,
        signed=False,
    ),
}
EXPLAINED = (
    "An effect is the error of the first less the error of the second, with its 95 % interval. A "
    "claim names what it expects of the second error, and is reproduced if every effect measured "
    "is as expected, by these rules:"
)


@dataclass(frozen=True)
class Measurement:
    """One effect under one claim: what it compares, how large it is, and the verdict."""

    table: str
    title: str
    verdict: str
    reason: str
    on: str = ""
    first: str = ""
    second: str = ""
    unit: str = ""
    interval: str = ""
    seeds: int | None = None
    before: float | None = None
    after: float | None = None
    effect: float | None = None
    low: float | None = None
    high: float | None = None
    published: float | None = None

    @property
    def sized(self) -> str:
        """The effect and its interval."""
        return "{} ({} to {})".format(*map(plain_text, (self.effect, self.low, self.high)))


@dataclass(frozen=True)
class Finding:
    """A claim with its measurements."""

    claim: Claim
    measurements: tuple[Measurement, ...]

    @property
    def tested(self) -> tuple[Measurement, ...]:
        return tuple(m for m in self.measurements if m.verdict != NOT_TESTABLE)

    @property
    def verdict(self) -> str:
        if not self.tested:
            return NOT_TESTABLE
        agree = all(m.verdict == REPRODUCED for m in self.tested)
        return REPRODUCED if agree else NOT_REPRODUCED

    @property
    def summary(self) -> str:
        """How many measurements agree, how many there are not, and how large the effects are."""
        missing = len(self.measurements) - len(self.tested)
        if not self.tested:
            reasons = dict.fromkeys(m.reason for m in self.measurements)
            return f"No measurement: {'; '.join(reasons)}."
        agree = sum(m.verdict == REPRODUCED for m in self.tested)
        ends = sorted(self.tested, key=lambda m: m.effect)
        sizes = " to ".join(dict.fromkeys(f"{m.sized} {m.unit}" for m in (ends[0], ends[-1])))
        text = f"{agree} of {_count(len(self.tested), 'measurement')} as claimed; effect {sizes}"
        return text + (f"; {missing} could not be taken." if missing else ".")


def judge(tables: Mapping[str, dict]) -> list[Finding]:
    """What results say of each claim.

    ``tables``: by name the recorded results, or ``{"title", "state"}`` of one that has none.
    """
    return [Finding(claim, tuple(_measurements(claim, tables))) for claim in CLAIMS]


def _measurements(claim: Claim, tables: Mapping[str, dict]) -> Iterator[Measurement]:
    fitting = {name: t for name, t in tables.items() if name.startswith(claim.tables)}
    if not fitting:
        yield Measurement("", "", NOT_TESTABLE, "no table of this profile is about it")
    for name, table in fitting.items():
        if "rows" not in table:
            reason = f"{table['title']}: {table['state']}"
            yield Measurement(name, table["title"], NOT_TESTABLE, reason)
        else:
            yield from _of_table(claim, name, table)


def _of_table(claim: Claim, name: str, table: dict) -> Iterator[Measurement]:
    rows = {row["label"]: row for row in table["rows"]}
    wanted = [
        line
        for line in table["effects"]
        if (line["compares"], line["measure"]) == (claim.compares, claim.measure)
        and claim.among(rows[line["second"]])
    ]
    if not wanted:
        yield Measurement(name, table["title"], NOT_TESTABLE, "the table holds no such effect")
    yield from (_measurement(claim, name, table, rows, line) for line in wanted)


def _measurement(
    claim: Claim, name: str, table: dict, rows: dict[str, dict], line: dict
) -> Measurement:
    if line["seeds"] is None:
        lacking = [i for i in (line["first"], line["second"]) if i in rows and not rows[i]["ours"]]
        verdict, reason = NOT_TESTABLE, f"this profile does not run {' and '.join(lacking)}"
    else:
        rule, margin = RULES[claim.expected], MARGIN * line["before"]
        holds = rule.holds(line["low"], line["high"], margin)
        verdict = REPRODUCED if holds else NOT_REPRODUCED
        reason = rule.words if holds else _failure(rule, line["low"], line["high"])
    shown = ("first", "second", "seeds", "before", "after", "effect", "low", "high", "published")
    return Measurement(
        name,
        table["title"],
        verdict,
        reason,
        data_name(table.get("data")),
        unit=table["unit"],
        interval=table["interval"],
        **{key: line[key] for key in shown},
    )


def _failure(rule: Rule, low: float, high: float) -> str:
    if rule.signed and low <= 0 <= high:
        return "the interval holds zero"
    if rule.signed:
        return f"the effect goes the other way: the whole interval lies {_side(low)} zero"
    return f"it is not so that {rule.words}"


def _side(low: float) -> str:
    return "above" if low > 0 else "below"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def count_verdicts(findings: list[Finding]) -> str:
    """How many claims have each verdict, in words."""
    counts = Counter(finding.verdict for finding in findings)
    found = (REPRODUCED, NOT_REPRODUCED, NOT_TESTABLE)
    return ", ".join(f"{counts[verdict]} {verdict}" for verdict in found if counts[verdict])


def claims_text(findings: list[Finding]) -> str:
    """The findings as a table in markdown."""
    lines = ["| claim of the paper | verdict | measured |", "|---|---|---|"]
    for finding in findings:
        lines.append(f"| {finding.claim.sentence} | {finding.verdict} | {finding.summary} |")
    rules = "; ".join(f"*{name}*: {rule.words}" for name, rule in RULES.items())
    return "\n".join([*lines, "", f"{EXPLAINED} {rules}.", ""])
