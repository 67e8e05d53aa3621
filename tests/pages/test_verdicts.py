"""Claims are judged by whole intervals, and the paper's own numbers reproduce all of them."""

import pytest

from dvelib.pages.verdicts import (
    NOT_REPRODUCED,
    NOT_TESTABLE,
    REPRODUCED,
    RULES,
    TableWithoutResults,
    claims_text,
    judge,
)
from dvelib.paper.claims import CLAIMS
from dvelib.tables.results import Trend
from tests.recorded import of_the_paper, recorded, table_names

MATCHING = "ablation_exchange_matching"
EXCHANGE_AT_3 = "At 3 dimensions, exchange changes the matching error across identities little."
REPAIRS = "From 16 dimensions on, exchange lowers the matching error"


def found(findings, sentence):
    (finding,) = [f for f in findings if f.claim.sentence.startswith(sentence)]
    return finding


def by_exchange(gain, width=0.002):
    """Results of matching where exchange lowers an error of 10 by so much."""
    return [recorded(MATCHING, lambda row, _: 10 - gain * row.exchange, width)]


@pytest.mark.parametrize("sentence", [claim.sentence for claim in CLAIMS])
def test_the_papers_own_numbers_reproduce_its_claims(sentence):
    """So every sentence says what the paper found, and reads the effects that it means to."""
    finding = found(judge([of_the_paper(name) for name in table_names()]), sentence)
    assert finding.verdict == REPRODUCED
    assert [m for m in finding.tested if m.verdict != REPRODUCED] == []


class TestRules:
    @pytest.mark.parametrize(
        ("rule", "low", "high", "holds"),
        [
            ("smaller", 0.1, 2, True),
            ("smaller", -0.1, 2, False),
            ("smaller", -2, -1, False),
            ("clearly smaller", 1.1, 2, True),
            ("clearly smaller", 0.9, 2, False),
            ("larger", -2, -0.1, True),
            ("larger", -2, 0.1, False),
            ("larger", 1, 2, False),
            ("not larger", -0.9, 5, True),
            ("not larger", -1.1, 5, False),
            ("little different", -0.9, 0.9, True),
            ("little different", -0.9, 1.1, False),
            ("little different", -1.1, 0.9, False),
        ],
    )
    def test_look_at_both_ends(self, rule, low, high, holds):
        assert RULES[rule].holds(low, high, 1.0) is holds

    def test_every_claim_has_one(self):
        assert {claim.expected for claim in CLAIMS} == set(RULES)


class TestJudge:
    @pytest.mark.parametrize(
        ("gain", "width", "verdict", "reason"),
        [
            (1, 0.5, REPRODUCED, "the whole interval lies above zero"),
            (1, 2.5, NOT_REPRODUCED, "the interval contains zero"),
            (-1, 0.5, NOT_REPRODUCED, "the effect is opposite: the whole interval lies below zero"),
        ],
    )
    def test_an_effect(self, gain, width, verdict, reason):
        finding = found(judge(by_exchange(gain, width)), REPAIRS)
        assert finding.verdict == verdict
        assert len(finding.tested) == 3  # 16, 32 and 64 dimensions
        assert all(reason in m.reason for m in finding.tested)

    @pytest.mark.parametrize(("gain", "verdict"), [(0.9, REPRODUCED), (1.1, NOT_REPRODUCED)])
    def test_little_is_a_tenth_of_the_error_before(self, gain, verdict):
        assert found(judge(by_exchange(gain)), EXCHANGE_AT_3).verdict == verdict

    def test_one_measurement_that_disagrees_refutes(self):
        with_it = {3: 9.0, 16: 12.0, 32: 8.0, 64: 8.0}
        table = recorded(MATCHING, lambda r, _: with_it[r.dimension] if r.exchange else 10.0)
        finding = found(judge([table]), REPAIRS)
        assert finding.verdict == NOT_REPRODUCED
        assert finding.summary == (
            "2 of 3 measurements as claimed; effect -2.00 (-2.00 to -2.00) px to "
            "2.00 (2.00 to 2.00) px."
        )

    def test_rows_that_did_not_run_are_named(self):
        table = recorded(MATCHING, lambda row, _: None if row.dimension == 32 else 9 - row.exchange)
        finding = found(judge([table]), REPAIRS)
        assert finding.verdict == REPRODUCED and len(finding.tested) == 2
        (missing,) = [m for m in finding.measurements if m.verdict == NOT_TESTABLE]
        assert missing.reason == (
            "this profile does not run SmallNet 32-d without exchange and "
            "SmallNet 32-d with exchange"
        )
        assert missing.published == pytest.approx(5.81 - 2.79)
        assert finding.summary.endswith("1 not measured.")

    @pytest.mark.parametrize("state", ["failed", "not run yet", "out of date"])
    def test_a_table_without_results(self, state):
        table = TableWithoutResults(MATCHING, MATCHING, "Matching", state)
        finding = found(judge([table]), REPAIRS)
        assert finding.verdict == NOT_TESTABLE
        assert finding.summary == f"No measurement: Matching: {state}."

    def test_a_profile_without_the_table(self):
        findings = judge([])
        assert {finding.verdict for finding in findings} == {NOT_TESTABLE}
        assert "this profile has no table about it" in findings[0].summary

    def test_results_without_the_effects(self):
        table = recorded(MATCHING, lambda row, _: 1.0).model_copy(update={"effects": ()})
        finding = found(judge([table]), REPAIRS)
        assert finding.verdict == NOT_TESTABLE and "no such effect" in finding.summary


def test_the_text_has_a_line_for_each_claim_and_the_rules():
    text = claims_text(judge(by_exchange(1)))
    lines = text.splitlines()
    assert len([line for line in lines if line.startswith("|")]) == 2 + len(CLAIMS)
    assert any(line.startswith(f"| {REPAIRS}") and f"| {REPRODUCED} |" in line for line in lines)
    assert all(f"*{name}*: {rule.words}" in lines[-1] for name, rule in RULES.items())


def curve(**values):
    """A learning curve that recorded one trend: of exchange at 3 dimensions, across identities."""
    trend = {
        "compares": "exchange",
        "measure": "different-identity",
        "first": "SmallNet 3-d without exchange",
        "second": "SmallNet 3-d with exchange",
        "architecture": "smallnet",
        "dimension": 3,
        "exchange": True,
        "pairs": (1000, 2000, 4000),
        "level": 5.0,
        "slope": -1.0,
        "low": -1.2,
        "high": -0.8,
    }
    results = recorded("learning_curve", lambda row, _: None)
    return results.model_copy(update={"trends": (Trend(**trend | values),)})


@pytest.mark.parametrize(
    ("sentence", "gain", "values", "tendency"),
    [
        (EXCHANGE_AT_3, 5, {}, "1 towards the claim"),
        (EXCHANGE_AT_3, 5, {"slope": 1.0, "low": 0.8, "high": 1.2}, "1 away from it"),
        (EXCHANGE_AT_3, 5, {"low": -1.0, "high": 0.2}, "1 undecided"),
        (EXCHANGE_AT_3, -5, {"level": -5.0}, "1 away from it"),
        (REPAIRS, -5, {"dimension": 64}, "1 away from it"),
        (REPAIRS, -5, {"dimension": 64, "slope": 1.0, "low": 0.8}, "1 towards the claim"),
        (REPAIRS, -5, {}, ""),  # the claim is about 16 and more dimensions
        (REPAIRS, 5, {"dimension": 64}, ""),  # it is reproduced
    ],
)
def test_a_claim_that_fails_is_judged_on_the_trend_as_well(sentence, gain, values, tendency):
    high = {"high": 1.2} if values.get("slope") == 1.0 else {}
    tables = [*by_exchange(gain), curve(**high | values)]
    finding = found(judge(tables), sentence)
    assert finding.tendency == tendency
    if tendency:
        assert finding.verdict == NOT_REPRODUCED
        assert f"With more training: {tendency}." in claims_text([finding])
        assert "when pairs double" in finding.tendencies[0].text
