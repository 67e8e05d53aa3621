"""What a study would do, before it does it: jobs, images, steps, hours, and data still missing."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from dvelib.checkpoints.provenance import describe_hardware
from dvelib.checkpoints.specifications import DataSpec, EmbeddingSpec
from dvelib.checkpoints.storage import finished
from dvelib.common.devices import resolve_device
from dvelib.common.errors import StudyError
from dvelib.common.files import atomic_path
from dvelib.data import SYNTHETIC, FaceDataset
from dvelib.data.known import LAYOUTS
from dvelib.data.places import ARCHIVES, folder_of
from dvelib.data.synthetic_dataset import DEFAULT_COUNT
from dvelib.study.plan import Study, data_folder
from dvelib.training.embeddings import train

__all__ = [
    "image_count",
    "measure_rate",
    "measured_rates",
    "missing_data",
    "plan_lines",
    "training_steps",
    "write_missing_page",
]

MEASURED_SECONDS = 10.0


def image_count(data: DataSpec, split: str, data_root: Path | None) -> int | None:
    """Images of a split as its lists say it; the published count where they are not there."""
    if data.name in SYNTHETIC:
        return data.limit or DEFAULT_COUNT[split]
    try:
        listing = LAYOUTS[data.name].listing(data_folder(data, data_root), split)
        count = len(listing.files)
    except StudyError:
        count = LAYOUTS[data.name].published.get(split)
    return count if data.limit is None or count is None else min(count, data.limit)


def plan_lines(study: Study, rates: dict[str, float] | None = None) -> Iterator[str]:
    """The jobs in the order of their dependence, a line each.

    ``rates``: pairs/s by the name of an embedding, from which hours follow.
    """
    profile = study.profile
    counts = f"{len(study.embeddings)} embeddings, {len(study.regressors)} regressors"
    yield f"{profile.title}: {len(study.tables)} tables, {counts}"
    roots = [name for name in study.embeddings if name not in study.parents]
    for root in roots:
        yield "  " + _embedding_line(study, root, rates)
        yield from _regressor_lines(study, root, "    ")
        for child in (c for c, parent in study.parents.items() if parent == root):
            yield "    then " + _embedding_line(study, child, rates)
            yield from _regressor_lines(study, child, "      ")
    for name, table in study.tables.items():
        run = sum(bool(row.embeddings) for row in study.rows[name])
        yield f"  table {name}: {run} of {len(table.rows)} rows"
    if rates:
        total = sum(_hours(study, name, rates) for name in study.embeddings)
        device = describe_hardware(resolve_device(profile.device))
        yield (
            f"  in all {total:,.1f} hours of training embeddings, one at a time, at the rates "
            f"measured on {device}"
        )
    for data, message in (study.missing or {}).items():
        yield f"  missing {data.name}: {message}"


def _embedding_line(study: Study, name: str, rates: dict[str, float] | None) -> str:
    spec = study.embeddings[name]
    state = "trained" if finished(study.embedding_folder(name)) else "to train"
    steps, images = training_steps(study, spec)
    text = f"{name}: {spec.label}, {images} images of {spec.data.name}, {steps:,} steps of "
    text += f"{spec.batch} pairs, {state}"
    return text + (f", {_hours(study, name, rates):.2f} hours" if rates else "")


def training_steps(study: Study, spec: EmbeddingSpec) -> tuple[int, str]:
    """Steps of a training, and how many images it has, to read."""
    images = image_count(spec.data, "train", study.data_root)
    if spec.steps is not None:
        return spec.steps, "unknown" if images is None else f"{images:,}"
    return (images or 0) // spec.batch * spec.epochs, f"{images or 0:,}"


def _hours(study: Study, name: str, rates: dict[str, float]) -> float:
    spec = study.embeddings[name]
    steps, _ = training_steps(study, spec)
    if name in study.earlier:
        steps -= study.embeddings[study.earlier[name]].steps
    return steps * spec.batch / rates[name] / 3600


def _regressor_lines(study: Study, embedding: str, indent: str) -> Iterator[str]:
    own = {name: spec for name, spec in study.regressors.items() if spec.embedding == embedding}
    for name, spec in own.items():
        state = "trained" if finished(study.regressor_folder(name)) else "to train"
        faces = image_count(spec.data.of("train"), "train", study.data_root)
        few = f"{spec.annotations} annotated of " if spec.annotations else ""
        yield (
            f"{indent}then {name}: landmarks of {few}{faces or 0:,} faces of {spec.data.name}, "
            f"{spec.epochs} epochs, {state}"
        )


def measure_rate(spec: EmbeddingSpec, device: str, seconds: float = MEASURED_SECONDS) -> float:
    """Pairs a second of training this embedding here, measured on noise for some seconds."""
    faces = _noise(spec)
    _rate(spec, faces, device, 2)  # the first steps warm everything up
    steps, taken = 2, 0.0
    while taken < seconds / 2:
        rate = _rate(spec, faces, device, steps)
        taken = steps * spec.batch / rate
        steps = max(2 * steps, int(seconds * rate / spec.batch))
    return rate


def _rate(spec: EmbeddingSpec, faces: FaceDataset, device: str, steps: int) -> float:
    changes = {"epochs": None, "steps": steps, "parent": None, "plain_steps": 0}
    short = spec.model_copy(update=changes)
    with tempfile.TemporaryDirectory() as folder:
        made = train(short, faces, folder, device=device).provenance
    # Seconds are rounded to tenths: none may still be half of one.
    return made["pairs"] / max(made["seconds"], 0.05)


def measured_rates(study: Study) -> dict[str, float]:
    """Pairs/s by embedding, measured once for all that differ by nothing that takes time."""
    by_kind: dict[tuple, float] = {}
    rates = {}
    for name, spec in study.embeddings.items():
        kind = (spec.architecture, spec.dimension, spec.exchange, spec.auxiliaries)
        kind += (spec.size, spec.crop, spec.batch)
        if kind not in by_kind:
            by_kind[kind] = measure_rate(spec, study.profile.device)
        rates[name] = by_kind[kind]
    return rates


def _noise(spec: EmbeddingSpec) -> FaceDataset:
    count = 2 * spec.batch
    images = np.random.default_rng(0).integers(256, size=(count, 3, spec.size, spec.size))
    return FaceDataset(
        name="noise",
        title="noise",
        split="train",
        size=spec.size,
        crop=spec.crop,
        files=tuple(map(str, range(count))),
        images=images.astype(np.uint8),
        full_landmarks=None,
        eyes=(0, 1),
        digest="noise",
    )


def missing_data(study: Study) -> list[dict[str, str]]:
    """By dataset that cannot be used: what is wrong, where it belongs and how to get it."""
    data_root = study.data_root or Path("DATA")
    found = {}
    for data, message in (study.missing or {}).items():
        archive = ARCHIVES.get(data.name)
        fetch = f"dve fetch {archive} --data {data_root}" if archive else "your own pictures"
        check = f"dve check {data.name} --data {data_root}" if archive else ""
        folder = str(data_root / (data.folder or folder_of(data.name)))
        entry = {"name": data.name, "folder": folder, "fetch": fetch, "check": check}
        found[data.name, folder] = entry | {"message": message}
    return list(found.values())


def write_missing_page(study: Study) -> Path:
    """A page in place of the study's index that says what is missing and how to get it."""
    from dvelib.common.markup import fill  # planning needs no Jinja

    path = study.outputs / "site" / "missing.html"
    page = fill(
        "missing",
        title=study.profile.title,
        profile=study.name,
        data_root=str(study.data_root or "DATA"),
        missing=missing_data(study),
    )
    with atomic_path(path) as temporary:
        temporary.write_text(str(page))
    return path
