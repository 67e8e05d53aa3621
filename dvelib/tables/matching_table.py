"""Tables of matching errors: their faces and the errors of their embeddings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property

from dvelib.checkpoints.storage import Embedding
from dvelib.data import FaceDataset
from dvelib.evaluation.matching_errors import COSINE, PROTOCOLS, matching_errors
from dvelib.tables.base import StudyTable
from dvelib.tables.effects import PRODUCTS, product_effects
from dvelib.tables.matching_statistics import MatchingStatistics, split_errors
from dvelib.tables.results import Effect

__all__ = ["MatchingTable", "matching_statistics"]


class MatchingTable(StudyTable):
    """One table of matching errors under one profile.

    All errors are pixels of a 70-px face, means over points, pairs and then seeds.
    """

    unit, test_units = "px", "image pairs"

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self._faces: dict[tuple[int, int], FaceDataset] = {}

    def faces_for(self, embedding: Embedding) -> FaceDataset:
        """The faces matched, at the size that this embedding was trained for."""
        key = embedding.spec.size, embedding.spec.crop
        if key not in self._faces:
            self._faces[key] = self.study.matching_data(embedding.spec, self.spec.benchmark)
        return self._faces[key]

    @property
    def test_faces(self) -> FaceDataset:
        return self.faces_for(next(iter(self.first_seed.values())))

    @property
    def protocols(self) -> tuple[str, ...]:
        """The published protocol and full resolution; between them, where raw products are
        compared with it, the published one by cosine."""
        published, full = PROTOCOLS
        return (published, COSINE, full) if PRODUCTS in self.spec.compares else PROTOCOLS

    def _measure_effects(self) -> tuple[Effect, ...]:
        effects = super()._measure_effects()
        if PRODUCTS in self.spec.compares:
            effects += product_effects(self.rows, self.statistics)
        return effects

    @cached_property
    def statistics(self) -> MatchingStatistics:
        return matching_statistics(self.embeddings, self.faces_for, self.protocols)


def matching_statistics(
    embeddings: Mapping[str, Sequence[Embedding]],
    faces_for: Callable[[Embedding], FaceDataset],
    protocols: tuple[str, ...],
) -> MatchingStatistics:
    """Matching errors of embeddings by label and seed, each on the faces made for it."""
    errors = {
        label: [split_errors(matching_errors(e, faces_for(e))) for e in seeds]
        for label, seeds in embeddings.items()
    }
    return MatchingStatistics(errors, protocols)
