"""Bringing trainings under their present names that an earlier version of the code had named.

Names used to hold a hash of the training code. ``earlier_code.json`` holds those hashes for
versions whose recorded fingerprints (`dvelib.training.fingerprints`) equal the present ones. From
a specification, its images and such a hash follows the earlier name, so a folder of that name
holds exactly the training that is asked for now.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from dvelib.checkpoints.specifications import DataSpec, EmbeddingSpec, RegressorSpec, spec_digest
from dvelib.checkpoints.storage import SPECIFICATION, finished
from dvelib.common.files import read_json, write_json
from dvelib.data import dataset_digest
from dvelib.study.plan import Study, data_folder

__all__ = ["adopt", "earlier_names", "present_names"]

RECORD = Path(__file__).parent / "earlier_code.json"


def adopt(study: Study) -> list[tuple[str, str]]:
    """Rename every finished training of a study that lies under an earlier name.

    A regressor's specification names its embedding, so it is rewritten. A folder that exists
    already under the present name is left alone. Returns pairs of the earlier and the present
    name of each folder that was moved.
    """
    moved = []
    for earlier in _versions():
        names = earlier_names(study, earlier)
        for old, new in names.items():
            kind = "embeddings" if new in study.embeddings else "regressors"
            source, target = (study.outputs / kind / name for name in (old, new))
            if not finished(source) or target.exists():
                continue
            if kind == "regressors":
                values = read_json(source / SPECIFICATION)
                embedding = values["embedding"]
                write_json(source / SPECIFICATION, values | {"embedding": names[embedding]})
            os.replace(source, target)
            moved.append((old, new))
    return moved


def present_names(study: Study) -> dict[str, str]:
    """By every earlier name of a study's trainings, the present one."""
    names: dict[str, str] = {}
    for earlier in _versions():
        names |= earlier_names(study, earlier)
    return names


def earlier_names(study: Study, earlier: dict) -> dict[str, str]:
    """By the name that an earlier version gave, the present name of each training of a study."""
    embeddings: dict[str, str] = {}
    for name, spec in study.embeddings.items():
        parent = study.parents.get(name)
        parts = [embeddings[parent]] if parent else []
        images = _data_digest(study, spec.data, "train", earlier)
        values = _values(spec, earlier["embedding_fields"])
        embeddings[name] = (
            f"{spec.slug}-{spec_digest(values, images, earlier['embedding'], *parts)}"
        )
    regressors = {
        name: _earlier_regressor(study, spec, embeddings[spec.embedding], earlier)
        for name, spec in study.regressors.items()
    }
    return {old: new for new, old in (embeddings | regressors).items()}


def _earlier_regressor(study: Study, spec: RegressorSpec, embedding: str, earlier: dict) -> str:
    faces = (_data_digest(study, spec.data.of(s), s, earlier) for s in ("train", "test"))
    spec = spec.model_copy(update={"embedding": embedding})
    values = spec.model_dump(mode="json", exclude_none=True)
    values = {key: values[key] for key in earlier["regressor_fields"] if key in values}
    code = earlier["few_annotations" if spec.annotations else "regressor"]
    return f"{spec.slug}-{spec_digest(values, *faces, code)}"


def _values(spec: EmbeddingSpec, fields: list[str]) -> dict:
    """The values of the fields that specifications had then, the parent's too."""
    values = spec.model_dump(mode="json", include=set(fields) - {"parent"})
    return values | {"parent": spec.parent and _values(spec.parent, fields)}


def _data_digest(study: Study, data: DataSpec, split: str, earlier: dict) -> str:
    folder, version = data_folder(data, study.data_root), earlier["data"][data.name]
    return dataset_digest(data.name, folder, split, data.limit, data.skip_bad, version=version)


def _versions() -> Iterator[dict]:
    yield from read_json(RECORD)["versions"]
