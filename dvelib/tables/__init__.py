"""The tables of the study: what a notebook shows of one, and what it records."""

from dvelib.tables.matching import FinetunedMatchingTable, MatchingTable
from dvelib.tables.regression import FewAnnotationsTable, RegressionTable

__all__ = ["FewAnnotationsTable", "FinetunedMatchingTable", "MatchingTable", "RegressionTable"]
