"""Tables of landmark errors: their faces, their regressors and the regressors' errors."""

from __future__ import annotations

from functools import cached_property

from dvelib.checkpoints.storage import TrainedRegressor, load_regressor
from dvelib.data import FaceDataset
from dvelib.evaluation.landmark_errors import landmark_errors, mean_shape_errors
from dvelib.tables.base import StudyTable
from dvelib.tables.landmark_statistics import LandmarkStatistics
from dvelib.tables.made import DataAudit
from dvelib.tables.measures import FEW_LANDMARK_ERROR, LANDMARK_ERROR

__all__ = ["FewAnnotationsTable", "RegressionTable", "comparability"]


class RegressionTable(StudyTable):
    """One table of landmark errors under one profile.

    All errors are percent of the inter-ocular distance, means over landmarks, images and then
    seeds. ``measure``: which of the published numbers they are; ``ddof``: of the deviation over
    seeds.
    """

    measure = LANDMARK_ERROR
    ddof = 1
    unit, test_units = "%", "test images"

    @cached_property
    def regressors(self) -> dict[str, list[TrainedRegressor]]:
        """By label, the regressor of each seed."""
        folder = self.study.regressor_folder
        return {
            row.label: [load_regressor(folder(name), self.device) for name in row.regressors]
            for row in self.rows_with_results
        }

    @cached_property
    def _faces(self) -> dict[tuple[str, str], FaceDataset]:
        return {
            (label, split): self.study.benchmark_data(seeds[0].spec, split)
            for label, seeds in self.regressors.items()
            for split in ("train", "test")
        }

    def faces(self, label: str, split: str = "test") -> FaceDataset:
        """The faces of a split at the size that this row's embedding was trained for."""
        return self._faces[label, split]

    @property
    def test_faces(self) -> FaceDataset:
        return self.faces(self.rows_with_results[0].label)

    @property
    def training_faces(self) -> FaceDataset:
        """The faces that regressors learn from, at the size of the first row."""
        return self.faces(self.rows_with_results[0].label, "train")

    @cached_property
    def statistics(self) -> LandmarkStatistics:
        errors = {
            label: [landmark_errors(r.predicted, self.faces(label)) for r in seeds]
            for label, seeds in self.regressors.items()
        }
        trivial = mean_shape_errors(self.training_faces, self.test_faces)
        return LandmarkStatistics(errors, trivial, self.measure, self.ddof)

    @cached_property
    def context(self) -> str:
        """Whether the paper's numbers may be compared with ours, and if not why."""
        audits = (faces.split_audit() for faces in (self.training_faces, self.test_faces))
        return comparability(*map(DataAudit.model_validate, audits))


class FewAnnotationsTable(RegressionTable):
    """Landmarks learned from few annotated images, picked anew for each seed."""

    measure = FEW_LANDMARK_ERROR
    ddof = 0  # as published
    repeats = "picks of annotated images"


def comparability(train: DataAudit, test: DataAudit) -> str:
    """Whether numbers of the paper may be compared with those measured on these splits."""
    if not test.complete or not test.published:
        return "The paper's numbers are context: the test images are not the published ones."
    if not train.complete or not train.published:
        return (
            "The test images are the published ones. The training images of the regressors and of "
            "the embeddings are not, so the paper's numbers are a distant target."
        )
    return "Test and training images are the published ones."
