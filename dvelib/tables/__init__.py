"""The tables of the study: what a notebook shows of one, and what it records."""

from dvelib.tables.landmark_table import FewAnnotationsTable, RegressionTable
from dvelib.tables.matching_table import FinetunedMatchingTable, MatchingTable

__all__ = ["FewAnnotationsTable", "FinetunedMatchingTable", "MatchingTable", "RegressionTable"]
