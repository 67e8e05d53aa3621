"""The plan of a study: which embeddings and tables a profile asks for, and where each lives.

The folder of an embedding or of a regressor is named by its specification, the digest of its
images and the version of the method (`dvelib.training.versions`). So tables share trainings, the
same one is never trained twice, and a changed one never reuses old weights. Tables and pages
follow the code instead: their digests change with it, and they are made anew.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel

from dvelib.checkpoints.specifications import DataSpec, EmbeddingSpec, RegressorSpec, read_yaml
from dvelib.common.digest import code_digest, notebook_digest
from dvelib.common.errors import StudyError
from dvelib.common.files import ROOT, outputs_folder
from dvelib.data import SYNTHETIC, FaceDataset, dataset_digest, open_dataset
from dvelib.data.places import folder_of
from dvelib.describers.catalogue import known_digest
from dvelib.paper.numbers import published_experiments
from dvelib.study.profiles import ProfileSpec, RowSpec, TableSpec
from dvelib.training.versions import METHOD_VERSIONS

__all__ = ["NOTEBOOKS", "PARAMS", "Row", "Study", "open_data"]

PARAMS = ROOT / "params"
NOTEBOOKS = ROOT / "notebooks"
T = TypeVar("T", bound=BaseModel)


@dataclass(frozen=True)
class Row:
    """A row of a table under a profile: its embeddings, one a seed, or none if it does not run.

    ``regressors``, where the table measures landmarks: one on each of the embeddings, or one for
    each pick of annotated pictures.
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
    own_params: Path
    missing: dict[DataSpec, str] | None = None
    embeddings: dict[str, EmbeddingSpec] = field(default_factory=dict)
    parents: dict[str, str] = field(default_factory=dict)
    regressors: dict[str, RegressorSpec] = field(default_factory=dict)
    rows: dict[str, tuple[Row, ...]] = field(default_factory=dict)
    _digests: dict[tuple[DataSpec, str], str] = field(default_factory=dict, repr=False)

    @classmethod
    def load(
        cls,
        profile: str,
        data_root: Path | str | None = None,
        *,
        params: Path | str | None = None,
        outputs: Path | str | None = None,
        without_data: bool = False,
        also: str | None = None,
    ) -> Study:
        """Read and check a profile and its tables, and look up the data they need.

        ``also``: a table that is read, too, where the profile does not list it.
        ``outputs``: the folder of all results (default: `dvelib.common.files.outputs_folder`).
        ``params``: the folder of the user's own parameter files (default: the environment's
        ``DVE_PARAMS``, or else ``params`` beside ``outputs``). A file that is not there is read
        from those that come along.
        ``without_data``: what is wrong with a dataset is noted in ``missing``, and names of
        embeddings and regressors are not those they will have.
        Raises StudyError, one sentence, for anything wrong in the files or missing on disk.
        """
        outputs = Path(outputs).expanduser().resolve() if outputs else outputs_folder()
        own = Path(params or os.environ.get("DVE_PARAMS") or outputs.parent / "params").resolve()
        spec = _read(ProfileSpec, own, f"profiles/{profile}.yaml")
        names = dict.fromkeys([*spec.tables, *([also] if also else [])])
        tables = {name: _read(TableSpec, own, f"{name}.yaml") for name in names}
        root = Path(data_root).expanduser().resolve() if data_root else None
        missing = {} if without_data else None
        study = cls(profile, spec, tables, root, outputs / profile, own, missing)
        study.data_digest(spec.matching.data, "test")
        for name, table in tables.items():
            study._check_needs(name, table)
            rows = tuple(study._row(name, table, row) for row in spec.rows(table))
            if not any(row.embeddings for row in rows):
                raise StudyError(
                    f"params/profiles/{profile}.yaml: its architectures and dimensions choose no "
                    f"row of params/{name}.yaml: widen them or leave that table out"
                )
            study.rows[name] = rows
        return study

    @cached_property
    def earlier(self) -> dict[str, str]:
        """By name of an embedding, the longest shorter training that it continues, if any."""
        found = {}
        for name, spec in self.embeddings.items():
            shorter = [n for n, other in self.embeddings.items() if spec.continues(other)]
            if shorter:
                found[name] = max(shorter, key=lambda n: self.embeddings[n].steps)
        return found

    def _check_needs(self, name: str, table: TableSpec) -> None:
        lacking = None
        if table.benchmark is not None and table.benchmark not in self.profile.benchmarks:
            lacking = f"benchmarks: {table.benchmark}"
        elif table.measures == "learning curve" and self.profile.learning_curve is None:
            lacking = "learning_curve"
        elif table.measures == "describers" and self.profile.describers is None:
            lacking = "describers"
        if lacking:
            raise StudyError(
                f"params/profiles/{self.name}.yaml: {lacking} is missing, and "
                f"params/{name}.yaml needs it: add it or leave that table out"
            )

    def _row(self, table_name: str, table: TableSpec, row: RowSpec) -> Row:
        published = published_experiments()
        if row.published not in (None, *published):
            raise StudyError(
                f"params/{table_name}.yaml: published: {row.published!r} is no published "
                f"experiment{_did_you_mean(row.published, published)}"
            )
        seeds = self.profile.seeds if self.profile.runs(row) else ()
        names = tuple(self._register(row, table, seed) for seed in seeds)
        regressors = tuple(
            self._register_regressor(table.benchmark, row, name, seed)
            for name, own_seed in zip(names, seeds, strict=True)
            if table.has_regressors
            for seed in (self.profile.annotation_seeds if row.annotations else (own_seed,))
        )
        return Row(row, row.label, published.get(row.published, {}), names, regressors)

    def _register(self, row: RowSpec, table: TableSpec, seed: int) -> str:
        """Note a row's embedding, and first the one it starts from; returns its name."""
        where = f"params/profiles/{self.name}.yaml"
        spec = self.profile.embedding_spec(row, seed, where, table.recipes.get(row.recipe))
        name = self._note(spec)
        if not row.finetuned:
            return name
        finetuned = self.profile.finetuned_spec(row, table.benchmark, spec, where)
        finetuned = self._note(finetuned, name)
        self.parents[finetuned] = name
        return finetuned

    def _note(self, spec: EmbeddingSpec, *parent: str) -> str:
        name = self.embedding_name(spec, *parent)
        self.embeddings[name] = spec
        return name

    def embedding_name(self, spec: EmbeddingSpec, *parent: str) -> str:
        """The name of an embedding; ``parent``: of the one that it is fine-tuned from, if any."""
        images = self.data_digest(spec.data, "train")
        return f"{spec.slug}-{spec.digest(images, _version('embedding'), *parent)}"

    def _register_regressor(self, benchmark: str, row: RowSpec, embedding: str, seed: int) -> str:
        where = f"params/profiles/{self.name}.yaml"
        spec = self.profile.regressor_spec(benchmark, row, embedding, seed, where)
        name = self.regressor_name(spec)
        self.regressors[name] = spec
        return name

    def regressor_name(self, spec: RegressorSpec) -> str:
        """The name of a landmark regressor."""
        faces = (self.data_digest(spec.data.of(split), split) for split in ("train", "test"))
        versions = [_version("regressor")]
        if spec.annotations:
            versions.append(_version("few annotations"))
        return f"{spec.slug}-{spec.digest(*faces, *versions)}"

    def data_digest(self, data: DataSpec, split: str) -> str:
        """Changes with the images and the landmarks of a split."""
        if (data, split) not in self._digests:
            try:
                folder = data_folder(data, self.data_root)
                digest = dataset_digest(data.name, folder, split, data.limit, data.skip_bad)
            except StudyError as error:
                if self.missing is None:
                    raise
                digest = self.missing[data] = str(error)
            self._digests[data, split] = digest
        return self._digests[data, split]

    @property
    def embeddings_with_pages(self) -> list[str]:
        """The embeddings that have a page: those that no longer training goes on from."""
        continued = set(self.earlier.values())
        return [name for name in self.embeddings if name not in continued]

    def regressors_by_embedding(self) -> dict[str, list[str]]:
        """The names of the regressors on each embedding that has any."""
        found: dict[str, list[str]] = {}
        for name, spec in self.regressors.items():
            found.setdefault(spec.embedding, []).append(name)
        return found

    def embedding_folder(self, name: str) -> Path:
        return self.outputs / "embeddings" / name

    def earlier_folder(self, name: str) -> Path | None:
        """The longest training of this study that this one goes on from, if there is any."""
        earlier = self.earlier.get(name)
        return None if earlier is None else self.embedding_folder(earlier)

    def parent_folder(self, name: str) -> Path | None:
        """The embedding that this one starts from, if it is fine-tuned."""
        parent = self.parents.get(name)
        return None if parent is None else self.embedding_folder(parent)

    def regressor_folder(self, name: str) -> Path:
        return self.outputs / "regressors" / name

    def table_folder(self, name: str) -> Path:
        return self.outputs / "tables" / name

    def table_digest(self, table: str) -> str:
        """Changes with everything that a table shows: trainings, data, texts and code."""
        spec = self.tables[table]
        return _digest(
            spec.model_dump(mode="json"),
            self.profile.title,
            self.profile.description,
            [(row.embeddings, row.regressors) for row in self.rows[table]],
            self._faces_digest(spec.benchmark),
            self._matching_digest(),
            notebook_digest(NOTEBOOKS / f"{spec.notebook}.ipynb"),
            known_digest() if spec.measures == "describers" else None,
        )

    def _faces_digest(self, benchmark: str | None) -> object:
        if benchmark is None:
            return None
        chosen = self.profile.benchmarks[benchmark]
        return chosen.stand_in, self.data_digest(chosen.data.of("test"), "test")

    def _matching_digest(self) -> object:
        data = self.profile.matching.data
        return data.model_dump(mode="json"), self.data_digest(data, "test")

    def embedding_page_digest(self) -> str:
        """Changes with the code and the faces behind the page of an embedding."""
        notebook = NOTEBOOKS / "train_embedding.ipynb"
        return _digest(self._matching_digest(), notebook_digest(notebook))

    def explorer_digest(self) -> str:
        """Changes with the trainings, the faces and the code behind the explorer's page."""
        return _digest(
            list(self.embeddings),
            list(self.regressors),
            self._matching_digest(),
            notebook_digest(NOTEBOOKS / "explore.ipynb"),
        )

    def pages_digest(self) -> str:
        """Changes with the code and the templates of pages, the claims and the trainings."""
        return _digest(
            self.profile.title,
            {name: table.title for name, table in self.tables.items()},
            list(self.embeddings),
            code_digest("dvelib.pages"),
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

    def matching_data(self, spec: EmbeddingSpec, benchmark: str | None = None) -> FaceDataset:
        """The faces that matching is measured on, at the size this embedding was trained for.

        Those of a benchmark's test split, or those that the profile names for matching.
        """
        if benchmark is not None:
            return self.benchmark_faces(benchmark, "test", spec)
        data = self.profile.matching.data
        return open_data(data, "test", self.data_root, size=spec.size, crop=spec.crop)

    def benchmark_data(self, spec: RegressorSpec, split: str) -> FaceDataset:
        """The faces that a regressor learns from or is tested on, at its embedding's size."""
        return self.benchmark_faces(spec.benchmark, split, self.embeddings[spec.embedding])

    def benchmark_faces(self, benchmark: str, split: str, spec: EmbeddingSpec) -> FaceDataset:
        chosen = self.profile.benchmarks[benchmark]
        data, stand_in = chosen.data.of(split), chosen.stand_in.get(split)
        return open_data(
            data, split, self.data_root, size=spec.size, crop=spec.crop, stand_in=stand_in
        )


def _read(model: type[T], own: Path, name: str) -> T:
    return read_yaml(model, own / name, PARAMS / name)


def _version(method: str) -> str:
    return f"{method} {METHOD_VERSIONS[method]}"


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
    return data_root / (data.folder or folder_of(data.name))


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
        data.name,
        data_folder(data, data_root),
        split,
        size=size,
        crop=crop,
        limit=data.limit,
        skip_bad=data.skip_bad,
        stand_in=stand_in,
    )
