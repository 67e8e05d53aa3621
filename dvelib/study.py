"""The plan of a study: which embeddings and tables a profile asks for, and where each lives.

An embedding's folder is named by its specification, the digest of its images and the digest of
the code that trains it. So the same embedding is never trained twice, by whichever table it is
asked for, and a changed one never meets old weights.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path

from dvelib.code_digest import code_digest
from dvelib.data import FaceDataset, dataset_digest, open_dataset
from dvelib.errors import StudyError
from dvelib.files import ROOT
from dvelib.published import published_numbers
from dvelib.spec import DataSpec, EmbeddingSpec, ProfileSpec, RowSpec, TableSpec, read_yaml

__all__ = ["METHOD_CODE", "Row", "Study", "open_data"]

METHOD_CODE = (
    "augment.py", "losses.py", "networks.py", "training.py", "warps.py",
    "data/aflw_mtfl.py", "data/base.py", "data/cache.py", "data/folder.py",
)  # fmt: skip
TABLE_CODE = ("charts.py", "evaluation.py", "matching.py", "plots.py", "tables.py")


@dataclass(frozen=True)
class Row:
    """A row of a table under a profile: its embeddings, one a seed, or none if it does not run."""

    spec: RowSpec
    label: str
    published: dict[str, float]
    embeddings: tuple[str, ...]


@dataclass(frozen=True)
class Study:
    """A profile with everything it asks for. Make one with `Study.load`."""

    name: str
    profile: ProfileSpec
    tables: dict[str, TableSpec]
    data_root: Path | None
    outputs: Path
    embeddings: dict[str, EmbeddingSpec] = field(default_factory=dict)
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
            rows = tuple(study._row(name, table, row) for row in table.rows)
            if not any(row.embeddings for row in rows):
                raise StudyError(
                    f"params/profiles/{profile}.yaml: its architectures and dimensions choose no "
                    f"row of params/{name}.yaml: widen them or leave that table out"
                )
            study.rows[name] = rows
        return study

    def _row(self, table_name: str, table: TableSpec, row: RowSpec) -> Row:
        published = published_numbers(table.published)
        if row.published not in published:
            raise StudyError(
                f"params/{table_name}.yaml: published: {row.published!r} is no experiment of "
                f"{table.published}; those are {', '.join(published)}"
            )
        profile = self.profile
        runs = row.architecture in profile.architectures and row.dimension in profile.dimensions
        names = [self._register(row, seed) for seed in profile.seeds] if runs else []
        return Row(row, row.label, published[row.published], tuple(names))

    def _register(self, row: RowSpec, seed: int) -> str:
        where = f"params/profiles/{self.name}.yaml: embedding"
        spec = self.profile.embedding_spec(row, seed, where)
        images = self._data_digest(spec.data, "train")
        name = f"{spec.slug}-{spec.digest(images, code_digest(*METHOD_CODE))}"
        self.embeddings[name] = spec
        return name

    def _data_digest(self, data: DataSpec, split: str) -> str:
        return dataset_digest(data.name, data_folder(data, self.data_root), split, data.limit)

    def embedding_folder(self, name: str) -> Path:
        return self.outputs / "embeddings" / name

    def table_folder(self, name: str) -> Path:
        return self.outputs / "tables" / name

    def table_digest(self, table: str) -> str:
        """What changes whenever a table's numbers or words would."""
        return _digest(
            self.tables[table].model_dump(mode="json"),
            self.profile.title,
            self.profile.description,
            [row.embeddings for row in self.rows[table]],
            self.evaluation_digest(),
        )

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

    def training_data(self, spec: EmbeddingSpec) -> FaceDataset:
        return open_data(spec.data, "train", self.data_root, size=spec.size, crop=spec.crop)

    def matching_data(self, spec: EmbeddingSpec) -> FaceDataset:
        """The faces that matching is measured on, at the size this embedding was trained for."""
        data = self.profile.matching.data
        return open_data(data, "test", self.data_root, size=spec.size, crop=spec.crop)


def _digest(*parts: object) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def data_folder(data: DataSpec, data_root: Path | None) -> Path | None:
    """The folder of a dataset below data_root; raises StudyError where data_root is needed."""
    if data.name == "synthetic":
        return None
    if data_root is None:
        raise StudyError(
            f"the dataset {data.name} needs the folder that holds it: name it with "
            f"DATA=<folder> (or --data)"
        )
    return data_root / (data.folder or data.name)


def open_data(
    data: DataSpec, split: str, data_root: Path | None, *, size: int, crop: int
) -> FaceDataset:
    """The split that a specification means."""
    return open_dataset(
        data.name, data_folder(data, data_root), split,
        size=size, crop=crop, limit=data.limit, skip_bad=data.skip_bad,
    )  # fmt: skip
