"""Whether a study's results reproduce the paper's claims: measurements, verdicts, reasons.

- Each effect that a claim is about is one measurement, with a verdict by `RULES`. A claim is
  reproduced if all of its measurements are, and not testable if there is no measurement.
- A claim that is not reproduced is also judged on the learning curve, where the study has one:
  whether more training moves its effects towards the claim. That changes no verdict.
- All rules are about the whole 95 % interval, never about the mean alone. So an effect whose
  interval contains zero does not reproduce a claim that there is an effect.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from dvelib.common.markup import plain_text
from dvelib.paper.claims import CLAIMS, Claim
from dvelib.tables.results import Effect, EffectNumbers, TableResults, Trend

__all__ = [
    "EXPLAINED",
    "NOT_REPRODUCED",
    "NOT_TESTABLE",
    "REPRODUCED",
    "RULES",
    "Finding",
    "Measurement",
    "TableWithoutResults",
    "Tendency",
    "claims_text",
    "count_verdicts",
    "judge",
]

REPRODUCED, NOT_REPRODUCED = "reproduced", "not reproduced"
NOT_TESTABLE = "not testable on this data"
TOWARDS, AWAY, UNDECIDED = "towards the claim", "away from it", "undecided"
DIRECTIONS = (TOWARDS, AWAY, UNDECIDED)
MARGIN = 0.1  # of the error before: a change within it is little


@dataclass(frozen=True)
class Rule:
    """When an interval supports a claim: in words, and as a test of low, high and margin.

    ``signed``: whether the interval must lie on one side of zero.
    """

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
    "An effect is the error of the first row less the error of the second, with its 95 % interval. "
    "Each claim expects something of the second error. A claim is reproduced if every measured "
    "effect is as expected, by these rules:"
)


@dataclass(frozen=True)
class TableWithoutResults:
    """A table that should test claims and has no results; ``state`` says why."""

    table: str
    kind: str
    title: str
    state: str


@dataclass(frozen=True)
class Measurement:
    """One effect under one claim: what it compares, how large it is, and the verdict.

    ``on``: the test data; ``published``: the paper's effect; ``numbers`` is None where the effect
    was not measured.
    """

    table: str
    title: str
    verdict: str
    reason: str
    on: str = ""
    first: str = ""
    second: str = ""
    unit: str = ""
    interval: str = ""
    published: float | None = None
    numbers: EffectNumbers | None = None

    @property
    def effect_text(self) -> str:
        """The effect and its interval."""
        n = self.numbers
        return "{} ({} to {})".format(*map(plain_text, (n.effect, n.low, n.high)))


@dataclass(frozen=True)
class Tendency:
    """Where an effect under a claim goes with more training: towards the claim or away from it.

    ``direction`` is one of `DIRECTIONS`; ``text`` names the rows, the slope and its interval.
    """

    direction: str
    text: str


@dataclass(frozen=True)
class Finding:
    """A claim with its measurements, and with tendencies if it is not reproduced."""

    claim: Claim
    measurements: tuple[Measurement, ...]
    tendencies: tuple[Tendency, ...] = ()

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
    def tendency(self) -> str:
        """Where its effects go with more training, counted; nothing without a learning curve."""
        counts = Counter(tendency.direction for tendency in self.tendencies)
        return ", ".join(f"{counts[d]} {d}" for d in DIRECTIONS if counts[d])

    @property
    def summary(self) -> str:
        """How many measurements agree, how many are missing, and how large the effects are."""
        missing = len(self.measurements) - len(self.tested)
        if not self.tested:
            reasons = dict.fromkeys(m.reason for m in self.measurements)
            return f"No measurement: {'; '.join(reasons)}."
        agree = sum(m.verdict == REPRODUCED for m in self.tested)
        ends = sorted(self.tested, key=lambda m: m.numbers.effect)
        sizes = " to ".join(dict.fromkeys(f"{m.effect_text} {m.unit}" for m in (ends[0], ends[-1])))
        text = f"{agree} of {_count(len(self.tested), 'measurement')} as claimed; effect {sizes}"
        return text + (f"; {missing} not measured." if missing else ".")


def judge(tables: Sequence[TableResults | TableWithoutResults]) -> list[Finding]:
    """The verdict of a study's tables on each claim."""
    findings = []
    for claim in CLAIMS:
        finding = Finding(claim, tuple(_measurements(claim, tables)))
        if finding.verdict == NOT_REPRODUCED:
            finding = replace(finding, tendencies=tuple(_tendencies(claim, tables)))
        findings.append(finding)
    return findings


def _tendencies(
    claim: Claim, tables: Sequence[TableResults | TableWithoutResults]
) -> Iterator[Tendency]:
    """The trends of the learning curve in the effects that a claim is about."""
    for table in tables:
        for trend in getattr(table, "trends", ()):
            same = (trend.compares, trend.measure) == (claim.compares, claim.measure)
            if same and claim.among(trend):
                yield _tendency(claim, trend, table.unit_of(trend.measure))


def _tendency(claim: Claim, trend: Trend, unit: str) -> Tendency:
    if trend.low <= 0 <= trend.high:
        direction = UNDECIDED
    elif claim.expected == "little different":
        shrinks = (trend.slope > 0) != (trend.level > 0)
        direction = TOWARDS if shrinks else AWAY
    else:
        should_rise = claim.expected != "larger"
        direction = TOWARDS if (trend.slope > 0) == should_rise else AWAY
    level, slope, low, high = map(plain_text, (trend.level, trend.slope, trend.low, trend.high))
    return Tendency(
        direction,
        f"{trend.first} → {trend.second}: effect {level} {unit} at {trend.pairs[-1]:,} pairs, "
        f"changing by {slope} ({low} to {high}) when pairs double",
    )


def _measurements(
    claim: Claim, tables: Sequence[TableResults | TableWithoutResults]
) -> Iterator[Measurement]:
    fitting = [table for table in tables if table.kind == claim.kind]
    if not fitting:
        yield Measurement("", "", NOT_TESTABLE, "this profile has no table about it")
    for table in fitting:
        if isinstance(table, TableWithoutResults):
            reason = f"{table.title}: {table.state}"
            yield Measurement(table.table, table.title, NOT_TESTABLE, reason)
        else:
            yield from _of_table(claim, table)


def _of_table(claim: Claim, table: TableResults) -> Iterator[Measurement]:
    rows = {row.label: row for row in table.rows}
    effects = [
        effect
        for effect in table.effects
        if (effect.compares, effect.measure) == (claim.compares, claim.measure)
        and claim.among(rows[effect.second])
    ]
    if not effects:
        yield Measurement(table.table, table.title, NOT_TESTABLE, "the table has no such effect")
    yield from (_measurement(claim, table, effect) for effect in effects)


def _measurement(claim: Claim, table: TableResults, effect: Effect) -> Measurement:
    verdict, reason = _verdict(claim, table, effect)
    return Measurement(
        table.table,
        table.title,
        verdict,
        reason,
        table.measured_on.name,
        effect.first,
        effect.second,
        table.unit_of(effect.measure),
        table.interval,
        effect.published,
        effect.measured,
    )


def _verdict(claim: Claim, table: TableResults, effect: Effect) -> tuple[str, str]:
    """The verdict on one effect, and the reason for it."""
    if effect.measured is None:
        compared = (effect.first, effect.second)
        rows = {row.label: row for row in table.rows}
        lacking = [label for label in compared if label in rows and not rows[label].has_results]
        return NOT_TESTABLE, f"this profile does not run {' and '.join(lacking)}"
    rule, numbers = RULES[claim.expected], effect.measured
    if rule.holds(numbers.low, numbers.high, MARGIN * numbers.before):
        return REPRODUCED, rule.words
    return NOT_REPRODUCED, _failure(rule, numbers.low, numbers.high)


def _failure(rule: Rule, low: float, high: float) -> str:
    if rule.signed and low <= 0 <= high:
        return "the interval contains zero"
    if rule.signed:
        return f"the effect is opposite: the whole interval lies {_side(low)} zero"
    return f"this does not hold: {rule.words}"


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
        trend = f" With more training: {finding.tendency}." if finding.tendency else ""
        lines.append(f"| {finding.claim.sentence} | {finding.verdict} | {finding.summary}{trend} |")
    rules = "; ".join(f"*{name}*: {rule.words}" for name, rule in RULES.items())
    return "\n".join([*lines, "", f"{EXPLAINED} {rules}.", ""])
