"""Any descriptor through the same protocols: other describers beside the embeddings of a study."""

from __future__ import annotations

from functools import cached_property

from dvelib.checkpoints.specifications import EmbeddingSpec, RegressorSpec
from dvelib.common.devices import cpu_threads
from dvelib.data import FaceDataset
from dvelib.describers import Describer, folder_name, known_describers, open_describer
from dvelib.describers.timing import milliseconds_per_image
from dvelib.evaluation.dense_errors import dense_errors
from dvelib.evaluation.landmark_errors import landmark_errors, mean_shape_errors
from dvelib.evaluation.matching_errors import PROTOCOLS, matching_errors
from dvelib.study.plan import open_data
from dvelib.tables.base import StudyTable
from dvelib.tables.dense_statistics import DenseStatistics
from dvelib.tables.effects import measure_effect
from dvelib.tables.joined_statistics import JoinedStatistics
from dvelib.tables.landmark_statistics import LandmarkStatistics
from dvelib.tables.matching_statistics import MatchingStatistics, split_errors
from dvelib.tables.measures import landmark_measure
from dvelib.tables.results import Effect, RowResults
from dvelib.training.landmark_workflow import learn_landmarks

__all__ = ["DescriberTable"]

TIMED_IMAGES = 32


class DescriberTable(StudyTable):
    """Matching, dense and landmark errors of many describers, all on the same faces.

    Describers: the embeddings of the rows (of their first seed), and those that come along and that
    the profile asks for. All see the images at the size that the first row's embedding was trained
    for. Landmarks that have not been learned are learned when they are needed; they are kept among
    the study's regressors.
    """

    unit, test_units = "px", "image pairs (of landmarks: test images)"

    @cached_property
    def describers(self) -> dict[str, Describer]:
        """By label, in the order of the table: DVE, then the others by name."""
        core = self.study.profile.describers.which == "core"
        chosen = [
            known
            for known in known_describers().values()
            if not known.weights and not ((known.packages or known.slow) if core else known.missing)
        ]
        others = {k.title: open_describer(k.name, device=self.device) for k in chosen}
        return self.first_seed | others

    @cached_property
    def statistics(self) -> JoinedStatistics:
        matching = {
            label: [split_errors(matching_errors(describer, self.test_faces))]
            for label, describer in self.describers.items()
        }
        size = {"size": self._spec.size, "crop": self._spec.crop}
        dense = {label: dense_errors(d, **size) for label, d in self.describers.items()}
        parts = [MatchingStatistics(matching, PROTOCOLS), DenseStatistics(dense)]
        parts += [self._landmark_statistics(*task) for task in self.landmark_tasks]
        return JoinedStatistics(tuple(parts))

    @property
    def landmark_tasks(self) -> list[tuple[str, int | None]]:
        """Benchmarks, each with the number of annotated images, None for all."""
        asked = self.study.profile.describers
        tasks: list[tuple[str, int | None]] = [(name, None) for name in asked.benchmarks]
        return tasks + ([(asked.benchmarks[-1], asked.annotations)] if asked.annotations else [])

    @cached_property
    def test_faces(self) -> FaceDataset:
        profile, spec = self.study.profile, self._spec
        data = profile.matching.data
        if profile.describers.images is not None:
            limit = min(profile.describers.images, data.limit or profile.describers.images)
            data = data.model_copy(update={"limit": limit})
        root = self.study.data_root
        return open_data(data, "test", root, size=spec.size, crop=spec.crop)

    @property
    def _spec(self) -> EmbeddingSpec:
        return next(iter(self.first_seed.values())).spec

    def _landmark_statistics(self, benchmark: str, annotations: int | None) -> LandmarkStatistics:
        train, test = (
            self.study.benchmark_faces(benchmark, split, self._spec) for split in ("train", "test")
        )
        errors = {}
        for label, describer in self.describers.items():
            spec = self._regressor_spec(describer, benchmark, annotations)
            folder = self.study.regressor_folder(self.study.regressor_name(spec))
            with cpu_threads(self.study.profile.threads):
                trained = learn_landmarks(spec, describer, train, test, folder)
            errors[label] = [landmark_errors(trained.predicted, test)]
        measure = landmark_measure(benchmark, annotations)
        return LandmarkStatistics(errors, mean_shape_errors(train, test), measure)

    def _regressor_spec(
        self, describer: Describer, benchmark: str, annotations: int | None
    ) -> RegressorSpec:
        profile = self.study.profile
        row = self.rows_with_results[0].spec.model_copy(update={"annotations": annotations})
        more = profile.describers.regressor.model_dump(exclude_unset=True)
        where = f"params/profiles/{self.study.name}.yaml"
        return profile.regressor_spec(
            benchmark, row, folder_name(describer), profile.seeds[0], where, more
        )

    def _measure_effects(self) -> tuple[Effect, ...]:
        """Each describer's error less DVE's, the last row's: above zero, DVE is better."""
        dve = self.rows_with_results[-1].label
        return tuple(
            Effect(
                compares="describer",
                measure=measure.name,
                first=label,
                second=dve,
                shared=label,
                published=None,
                measured=measure_effect(
                    self.statistics.unit_errors(label, measure.name),
                    self.statistics.unit_errors(dve, measure.name),
                ),
            )
            for label in self.describers
            if label != dve
            for measure in self.statistics.measures
        )

    @cached_property
    def milliseconds(self) -> dict[str, float]:
        """By label, the time of an image in a batch, the smallest of a few repeats."""
        images = self.test_faces.cropped(slice(TIMED_IMAGES))
        with cpu_threads(self.study.profile.threads):
            return {
                label: milliseconds_per_image(d, images) for label, d in self.describers.items()
            }

    def facts_of_row(self, label: str) -> dict[str, object]:
        """Stride and milliseconds of a row; nothing of one that the profile does not run."""
        if label not in self.describers:
            return {}
        return {
            "stride": self.describers[label].stride,
            "milliseconds": round(self.milliseconds[label], 3),
        }

    @property
    def more_rows(self) -> tuple[RowResults, ...]:
        """The describers that are no embeddings of this study."""
        measures = self.statistics.measures
        return tuple(
            RowResults(
                label=label,
                embedding=label,
                architecture=describer.name,
                dimension=describer.dimension,
                exchange=None,
                finetuned=False,
                annotations=None,
                published={},
                ours={m.name: self.statistics.number(label, m.name) for m in measures},
                training=None,
                embeddings=(),
                regressors=(),
                **self.facts_of_row(label),
            )
            for label, describer in self.describers.items()
            if label not in self.first_seed
        )
