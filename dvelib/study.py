"""The plan of a study: which embeddings and tables a profile asks for, and where each lives.

The folder of an embedding or of a regressor is named by its specification, the digest of its
images and the digest of the code that trains it. So the same one is never trained twice, by
whichever table it is asked for, and a changed one never meets old weights.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path

from dvelib.code_digest import code_digest
from dvelib.data import SYNTHETIC, FaceDataset, dataset_digest, open_dataset
from dvelib.errors import StudyError
from dvelib.files import ROOT
from dvelib.published import published_experiments
from dvelib.spec import (
    DataSpec,
    EmbeddingSpec,
    ProfileSpec,
    RegressorSpec,
    RowSpec,
    TableSpec,
    read_yaml,
)

__all__ = ["METHOD_CODE", "REGRESSOR_CODE", "Row", "Study", "open_data"]

# The images' digest covers the code that reads them.
METHOD_CODE = ("augment.py", "losses.py", "networks.py", "training.py", "warps.py")
REGRESSOR_CODE = ("regression.py", "regressor.py")
TABLE_CODE = (
    "charts.py", "evaluation.py", "figure_parts.py", "landmark_errors.py", "landmark_plots.py",
    "matching.py", "matching_table.py", "plots.py", "regression_table.py", "tables.py",
)  # fmt: skip


@dataclass(frozen=True)
class Row:
    """A row of a table under a profile: its embeddings, one a seed, or none if it does not run.

    ``regressors``, where the table has a benchmark: one on each of the embeddings.
    """

    spec: RowSpec
    label: str
    published: dict[str, float]
    embeddings: tuple[str, ...]
    regressors: tuple[str, ...] = ()


@dataclass(frozen=True)
class Study:
    """A profile with everything it asks for. Make one with `Study.load`."""

    name: str
    profile: ProfileSpec
    tables: dict[str, TableSpec]
    data_root: Path | None
    outputs: Path
    embeddings: dict[str, EmbeddingSpec] = field(default_factory=dict)
    regressors: dict[str, RegressorSpec] = field(default_factory=dict)
    rows: dict[str, tuple[Row, ...]] = field(default_factory=dict)

    @classmethod
    def load(
        cls,
        profile: str,
        data_root: Path | str | None = None,
        *,
        params: Path = ROOT / "params",
        outputs: Path | str | None = None,
    ) -> Study:
        """Read and check a profile and its tables, and look up the data they need.

        Raises StudyError, one sentence, for anything wrong in the files or missing on disk.
        """
        spec = read_yaml(ProfileSpec, params / "profiles" / f"{profile}.yaml")
        tables = {name: read_yaml(TableSpec, params / f"{name}.yaml") for name in spec.tables}
        root = Path(data_root).expanduser().resolve() if data_root else None
        outputs = Path(outputs).expanduser().resolve() if outputs else ROOT / "outputs"
        study = cls(profile, spec, tables, root, outputs / profile)
        study._data_digest(spec.matching.data, "test")
        for name, table in tables.items():
            study._check_benchmark(name, table)
            rows = tuple(study._row(name, table, row) for row in table.rows)
            if not any(row.embeddings for row in rows):
                raise StudyError(
                    f"params/profiles/{profile}.yaml: its architectures and dimensions choose no "
                    f"row of params/{name}.yaml: widen them or leave that table out"
                )
            study.rows[name] = rows
        return study

    def _check_benchmark(self, name: str, table: TableSpec) -> None:
        if table.benchmark is not None and table.benchmark not in self.profile.benchmarks:
            raise StudyError(
                f"params/profiles/{self.name}.yaml: benchmarks: {table.benchmark} is missing, and "
                f"params/{name}.yaml needs it: add it or leave that table out"
            )

    def _row(self, table_name: str, table: TableSpec, row: RowSpec) -> Row:
        published = published_experiments()
        if row.published not in (None, *published):
            raise StudyError(
                f"params/{table_name}.yaml: published: {row.published!r} is no published "
                f"experiment{_did_you_mean(row.published, published)}"
            )
        profile = self.profile
        runs = row.architecture in profile.architectures and row.dimension in profile.dimensions
        # Embeddings that go on learning on a benchmark are not part of any profile yet.
        seeds = profile.seeds if runs and not row.finetuned else ()
        names = tuple(self._register(row, seed) for seed in seeds)
        regressors = tuple(
            self._register_regressor(table.benchmark, name, seed)
            for name, seed in zip(names, seeds, strict=True)
            if table.benchmark is not None
        )
        return Row(row, row.label, published.get(row.published, {}), names, regressors)

    def _register(self, row: RowSpec, seed: int) -> str:
        where = f"params/profiles/{self.name}.yaml: embedding"
        spec = self.profile.embedding_spec(row, seed, where)
        images = self._data_digest(spec.data, "train")
        name = f"{spec.slug}-{spec.digest(images, code_digest(*METHOD_CODE))}"
        self.embeddings[name] = spec
        return name

    def _register_regressor(self, benchmark: str, embedding: str, seed: int) -> str:
        where = f"params/profiles/{self.name}.yaml: benchmarks: {benchmark}"
        spec = self.profile.regressor_spec(benchmark, embedding, seed, where)
        faces = (self._data_digest(spec.data.of(split), split) for split in ("train", "test"))
        name = f"{spec.slug}-{spec.digest(*faces, code_digest(*REGRESSOR_CODE))}"
        self.regressors[name] = spec
        return name

    def _data_digest(self, data: DataSpec, split: str) -> str:
        return dataset_digest(
            data.name, data_folder(data, self.data_root), split, data.limit, data.skip_bad
        )

    def embedding_folder(self, name: str) -> Path:
        return self.outputs / "embeddings" / name

    def regressor_folder(self, name: str) -> Path:
        return self.outputs / "regressors" / name

    def table_folder(self, name: str) -> Path:
        return self.outputs / "tables" / name

    def table_digest(self, table: str) -> str:
        """What changes whenever a table's numbers or words would."""
        return _digest(
            self.tables[table].model_dump(mode="json"),
            self.profile.title,
            self.profile.description,
            [(row.embeddings, row.regressors) for row in self.rows[table]],
            self._stand_in(table),
            self.evaluation_digest(),
        )

    def _stand_in(self, table: str) -> dict[str, str]:
        benchmark = self.tables[table].benchmark
        return self.profile.benchmarks[benchmark].stand_in if benchmark else {}

    def evaluation_digest(self) -> str:
        """What changes whenever the evaluation of an embedding, or its figures, would."""
        matching = self.profile.matching.data
        return _digest(
            matching.model_dump(mode="json"),
            self._data_digest(matching, "test"),
            code_digest(*METHOD_CODE, *TABLE_CODE),
        )

    def pages_digest(self) -> str:
        """What changes whenever the site's frame would; its contents have digests of their own."""
        templates = sorted(p for p in (ROOT / "dvelib/templates").rglob("*") if p.is_file())
        return _digest(
            self.profile.title,
            {name: table.title for name, table in self.tables.items()},
            list(self.embeddings),
            [path.read_text() for path in templates],
            code_digest("markup.py", "report.py", "site.py"),
        )

    def prepare(self) -> None:
        """Decode every image the study needs, so that a bad one is found before anything runs."""
        for spec in {(s.data, s.size, s.crop): s for s in self.embeddings.values()}.values():
            self.training_data(spec)
            self.matching_data(spec)
        for spec in self.regressors.values():
            for split in ("train", "test"):
                self.benchmark_data(spec, split)

    def training_data(self, spec: EmbeddingSpec) -> FaceDataset:
        return open_data(spec.data, "train", self.data_root, size=spec.size, crop=spec.crop)

    def matching_data(self, spec: EmbeddingSpec) -> FaceDataset:
        """The faces that matching is measured on, at the size this embedding was trained for."""
        data = self.profile.matching.data
        return open_data(data, "test", self.data_root, size=spec.size, crop=spec.crop)

    def benchmark_data(self, spec: RegressorSpec, split: str) -> FaceDataset:
        """The faces that a regressor learns from or is tested on, at its embedding's size."""
        size, crop = (getattr(self.embeddings[spec.embedding], key) for key in ("size", "crop"))
        stand_in = self.profile.benchmarks[spec.benchmark].stand_in.get(split)
        data = spec.data.of(split)
        return open_data(data, split, self.data_root, size=size, crop=crop, stand_in=stand_in)


def _did_you_mean(name: str, known: Iterable[str]) -> str:
    near = get_close_matches(name, known, n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def _digest(*parts: object) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def data_folder(data: DataSpec, data_root: Path | None) -> Path | None:
    """The folder of a dataset below data_root; raises StudyError where data_root is needed."""
    if data.name in SYNTHETIC:
        return None
    if data_root is None:
        raise StudyError(
            f"the dataset {data.name} needs the folder that holds it: name it with "
            f"DATA=<folder> (or --data)"
        )
    return data_root / (data.folder or data.name)


def open_data(
    data: DataSpec,
    split: str,
    data_root: Path | None,
    *,
    size: int,
    crop: int,
    stand_in: str | None = None,
) -> FaceDataset:
    """The split that a specification means."""
    return open_dataset(
        data.name, data_folder(data, data_root), split,
        size=size, crop=crop, limit=data.limit, skip_bad=data.skip_bad, stand_in=stand_in,
    )  # fmt: skip
