"""The learning curve: matching and landmark errors after growing numbers of training pairs."""

from __future__ import annotations

from functools import cached_property

from dvelib.checkpoints.storage import Embedding
from dvelib.data import FaceDataset
from dvelib.evaluation.matching_errors import PROTOCOLS
from dvelib.tables.joined_statistics import JoinedStatistics
from dvelib.tables.landmark_table import RegressionTable
from dvelib.tables.learning_curve_statistics import measure_trends
from dvelib.tables.matching_table import matching_statistics
from dvelib.tables.measures import LANDMARK_ERROR
from dvelib.tables.results import Trend

__all__ = ["LearningCurveTable"]


class LearningCurveTable(RegressionTable):
    """Errors of embeddings at several lengths of training, on the test faces of one benchmark.

    Matching errors are pixels of a 70-px face; landmark errors percent of the inter-ocular
    distance.
    """

    measure = LANDMARK_ERROR.model_copy(update={"unit": "%"})
    unit, test_units = "px", "image pairs (of landmarks: test images)"

    @cached_property
    def statistics(self) -> JoinedStatistics:
        matching = matching_statistics(self.embeddings, self._matched_faces, PROTOCOLS)
        return JoinedStatistics((matching, super().statistics))

    @cached_property
    def trends(self) -> tuple[Trend, ...]:
        return measure_trends(self.rows, self.statistics)

    @property
    def pairs(self) -> list[int]:
        """The numbers of training pairs, rising."""
        return sorted({row.spec.pairs for row in self.rows_with_results})

    def _matched_faces(self, embedding: Embedding) -> FaceDataset:
        return self.study.matching_data(embedding.spec, self.spec.benchmark)
