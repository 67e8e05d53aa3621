"""Training an embedding on a user's own pictures, and the folders of such results.

``dve train images`` calls this module; landmarks are in `dvelib.own.landmark_learning` and
`dvelib.own.predictor`.
A result has a folder of its own, by default beside the folder of pictures. ``origin.json`` in it
records the pictures and the weights that it was made from. The same command resumes the training
or finds it finished. A command with other pictures or settings is refused.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from filelock import FileLock, Timeout

from dvelib.checkpoints import resuming, storage
from dvelib.checkpoints.pretrained import named_folder
from dvelib.checkpoints.specifications import EmbeddingSpec, RegressorSpec, validate
from dvelib.checkpoints.storage import Embedding, load_embedding
from dvelib.common.errors import StudyError
from dvelib.common.files import read_json, write_json
from dvelib.data import FaceDataset
from dvelib.data.cache import content_digest
from dvelib.data.folder import CENTRAL, LANDMARKS_FILE, WHOLE, folder_name
from dvelib.data.shards import ShardedPictures, is_sharded, open_shards
from dvelib.own.framing import fit_layout, framing_of, say_outside
from dvelib.own.landmark_file import LandmarkFile, pictures_in
from dvelib.training import distributed
from dvelib.training.embeddings import train

__all__ = [
    "BATCH",
    "RECIPES",
    "STEPS",
    "absolute",
    "beside",
    "claim_folder",
    "embedding_spec",
    "learning_rate",
    "left_out",
    "need_kind",
    "train_embedding",
    "weights_digest",
]

STEPS, BATCH = 5000, 8  # 40,000 pairs: exchange helps from some ten thousand on
# How it learns, apart from batch and rate. The small-budget recipe has a constant rate, so a
# finished training can be made longer; the first 4,000 pairs are seen without exchange.
RECIPES = {
    "small-budget": lambda steps, batch: {
        "averaging": 8.0,
        "plain_steps": -(-4000 // batch),
    },
    "published": lambda steps, batch: {"lower_rate_from": [max(2, steps * 4 // 5 + 1)]},
}
UNIT = {"scale": 20.0, "bias_lr": None}  # unit descriptors, as published for these two
NETWORKS = {
    "smallnet": {"dimension": 64, "size": 100, "crop": 15},
    "hourglass": {"dimension": 64, "size": 136, "crop": 20, **UNIT},
}
FROM_PARENT = {"architecture", "dimension", "exchange", "size", "crop"}
ORIGIN = "origin.json"
RESULT = (
    storage.WEIGHTS,
    storage.SPECIFICATION,
    storage.PROVENANCE,
    storage.HISTORY,
    storage.PREDICTIONS,
    storage.CHECKSUMS,
    resuming.CHECKPOINT,
    resuming.PREVIOUS,
    "errors.json",
    ORIGIN,
)


def train_embedding(
    images: Path | str,
    out: Path | str | None = None,
    *,
    parent: Path | str | None = None,
    device: str = "auto",
    force: bool = False,
    say: Callable[[str], None] = print,
    **choices: object,
) -> Embedding:
    """Train an embedding on pictures, resume the training, or load a finished one.

    ``images``: a folder of pictures, or shards (see `dvelib.data.shards`). ``out``: the folder of
    the embedding, by default ``<images>-embedding`` beside the pictures'. ``parent``: the folder of
    an embedding to start from, or the name of a pretrained one. ``force``: replace an embedding of
    other pictures or settings in ``out``. ``choices``: values of `embedding_spec`.
    Raises StudyError for too few pictures, impossible choices and a folder that holds something
    else.
    """
    start = _open_parent(parent) if parent else None
    opened = _open_shards if is_sharded(images) else _open_folder
    spec, dataset, place = opened(images, start and start.spec, choices, say)
    origin = {"pictures": _digest(dataset)}
    if start:
        origin["parent_weights"] = weights_digest(start.folder)
    folder = claim_folder(out or beside(place, "embedding"), spec, origin, force)
    length = f"{spec.steps:,} steps of {spec.batch} pairs"
    say(f"{spec.label} on {len(dataset):,} pictures, {length}, into {folder}")
    trained = train(spec, dataset, folder, device=device, parent=start and start.folder)
    if isinstance(dataset, ShardedPictures) and (lost := sum(dataset.unreadable.values())):
        say(f"{lost} pictures cannot be read; others of their shards stood in for them")
    return trained


def _open_folder(
    images: Path | str, parent: EmbeddingSpec | None, choices: dict, say: Callable[[str], None]
) -> tuple[EmbeddingSpec, FaceDataset, Path]:
    """The specification, the pictures, and the place beside which the result belongs."""
    images = absolute(images)
    there = pictures_in(images)
    spec = embedding_spec(images.name, parent, **choices)
    framing = framing_of(spec)
    dataset = framing.open(images, "train")
    left_out(dataset, say)
    if (images / LANDMARKS_FILE).exists():
        others = (replace(framing, crop=0), replace(framing, data=WHOLE, crop=0))
        say_outside(LandmarkFile(images), framing, others, say)
    if len(dataset) < spec.batch:
        raise StudyError(
            f"{images} has {len(there)} pictures, {len(dataset)} of them to learn from, fewer than "
            f"a batch of {spec.batch}: add pictures, or lower --batch"
        )
    return spec, dataset, images


def _open_shards(
    images: Path | str, parent: EmbeddingSpec | None, choices: dict, say: Callable[[str], None]
) -> tuple[EmbeddingSpec, ShardedPictures, Path]:
    """As `_open_folder`; the place of a pattern is the folder that holds the shards."""
    place = absolute(images)
    place = place if place.is_dir() else place.parent
    spec = embedding_spec(place.name, parent, **choices)
    dataset = open_shards(images, size=spec.size, crop=spec.crop, layout=spec.data.name)
    if len(dataset) < spec.batch:
        raise StudyError(
            f"the shards {images} hold {len(dataset)} pictures, fewer than a batch of "
            f"{spec.batch}: add shards, or lower --batch"
        )
    return spec, dataset, place


def _digest(dataset: FaceDataset | ShardedPictures) -> str:
    if isinstance(dataset, ShardedPictures):
        return dataset.digest
    return content_digest(dataset.root, dataset.files)


def _open_parent(parent: Path | str) -> Embedding:
    folder = absolute(named_folder(parent))
    need_kind(folder, "embedding")
    return load_embedding(folder)


def embedding_spec(
    name: str, parent: EmbeddingSpec | None = None, **choices: object
) -> EmbeddingSpec:
    """The specification of an embedding on a folder of that name.

    ``choices``: recipe, architecture, dimension, fit, size, crop, steps, batch and seed; None is
    the default. Defaults: SmallNet-64d with exchange on squares of 100 pixels of which 15 are cut
    from each side (the hourglass: 136 and 20, and unit descriptors times 20, as published), 5,000
    steps of 8, the small-budget recipe. With ``fit`` "whole" the network sees whole pictures (see
    `dvelib.own.framing`): its input is as large as otherwise, and nothing is cut. The learning
    rate is `learning_rate` of the batch; under the published recipe a tenth of it in the last
    fifth of the steps. With a parent: its network, its sizes and the published form of
    fine-tuning, unit descriptors times 20.
    Raises StudyError for impossible values, and for a network other than the parent's.
    """
    given = {key: value for key, value in choices.items() if value is not None}
    steps, batch = given.get("steps", STEPS), given.get("batch", BATCH)
    own = folder_name(parent.data.name) if parent else CENTRAL
    data = fit_layout(given.pop("fit", None)) or own
    recipe = _recipe(given.pop("recipe", "small-budget"))(steps, max(1, batch))
    if parent is None:
        base = NETWORKS.get(given.get("architecture", "smallnet"), {})
    else:
        _refuse_other_network(given, parent)
        base = parent.model_dump(include=FROM_PARENT) | UNIT | {"parent": parent, "plain_steps": 0}
    if data == WHOLE and own != WHOLE and base:  # as large as what is left of a central square
        base = base | {"size": base["size"] - 2 * base["crop"], "crop": 0}
    elif "size" in given:
        base = base | {"crop": 0 if data == WHOLE else round(0.15 * given["size"])}
    values = {
        "data": {"name": data, "folder": name, "skip_bad": True},
        "steps": steps,
        "batch": batch,
        "learning_rate": learning_rate(batch),
        "precision": "auto",
    } | recipe
    return validate(EmbeddingSpec, values | base | given, "the embedding")


def _recipe(name: str) -> Callable[[int, int], dict[str, object]]:
    if name not in RECIPES:
        raise StudyError(f"--recipe {name} is unknown: choose among {', '.join(RECIPES)}")
    return RECIPES[name]


def _refuse_other_network(given: dict, parent: EmbeddingSpec) -> None:
    for key in ("architecture", "dimension"):
        theirs = getattr(parent, key)
        if given.get(key, theirs) != theirs:
            raise StudyError(
                f"--{key} {given[key]} is not that of the parent, which is {theirs}: "
                f"leave it out, or choose another parent"
            )


def learning_rate(batch: int) -> float:
    """The published 1e-3 for batches of 32, scaled by the square root of the batch."""
    return float(f"{1e-3 * (max(batch, 0) / 32) ** 0.5:.3g}")


def claim_folder(
    out: Path | str, spec: EmbeddingSpec | RegressorSpec, origin: dict[str, object], force: bool
) -> Path:
    """Reserve the folder of a result, made if need be; returns its absolute path.

    An embedding that the specification continues (see `EmbeddingSpec.continues`) is made longer:
    its weights are dropped and its checkpoint stays.
    Raises StudyError where it holds a result of another origin or specification, unless ``force``
    allows to replace it, and where it holds other files.
    """
    folder = absolute(out)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StudyError(
            f"{folder} cannot be made ({error.strerror}): choose another --out"
        ) from None
    others = [p.name for p in sorted(folder.iterdir()) if not p.name.startswith(".")]
    if others and ORIGIN not in others:
        raise StudyError(f"{folder} already holds other things ({others[0]}): choose another --out")
    changed = _changed(folder, origin, spec)
    if changed == ["steps"] and _is_longer(folder, spec):
        (folder / storage.SPECIFICATION).unlink()
        (folder / storage.WEIGHTS).unlink(missing_ok=True)
    elif changed:
        if not force:
            raise StudyError(
                f"{folder} was made with other {changed[0]}: choose another --out, or "
                f"--force to make it anew"
            )
        _remove_result(folder)
    write_json(folder / ORIGIN, origin)
    return folder


def _remove_result(folder: Path) -> None:
    """Remove what a training wrote; raises StudyError while another one is at work there."""
    try:
        with FileLock(distributed.lock_path(folder), timeout=0):
            for path in (*(folder / name for name in RESULT), *folder.glob("matching-*")):
                path.unlink(missing_ok=True)
    except Timeout:
        raise StudyError(
            f"another run trains in {folder}: wait until it ends, stop it, or choose another --out"
        ) from None


def _is_longer(folder: Path, spec: EmbeddingSpec | RegressorSpec) -> bool:
    """Whether an embedding's training can go on from the checkpoint of the one in the folder."""
    held = storage.held_specification(folder, type(spec))
    there = (folder / resuming.CHECKPOINT).exists()
    return there and isinstance(spec, EmbeddingSpec) and spec.continues(held)


def _changed(
    folder: Path, origin: dict[str, object], spec: EmbeddingSpec | RegressorSpec
) -> list[str]:
    """What a folder's result was made with that differs from what is wanted, the origin first."""
    if not (folder / storage.SPECIFICATION).exists():
        return []  # nothing has been made yet
    held = read_json(folder / ORIGIN)
    changed = [key for key in origin if held.get(key) != origin[key]]
    return [key.replace("_", " ") for key in changed + storage.changed_fields(folder, spec)]


def need_kind(folder: Path, kind: str) -> None:
    """Raises StudyError where a folder holds the other kind (``embedding`` or ``regressor``)."""
    path = folder / storage.SPECIFICATION
    if path.exists() and ("architecture" in read_json(path)) != (kind == "embedding"):
        other = {"embedding": "a regressor", "regressor": "an embedding"}[kind]
        maker = {"embedding": "dve train images", "regressor": "dve regress labels"}[kind]
        raise StudyError(f"{folder} holds {other}: name the {kind} that {maker} made")


def weights_digest(folder: Path) -> str:
    """Hash of the file of weights in a finished folder."""
    return hashlib.sha256((folder / storage.WEIGHTS).read_bytes()).hexdigest()[:16]


def left_out(dataset: FaceDataset, say: Callable[[str], None]) -> None:
    """Name the pictures that could not be read."""
    if dataset.skipped:
        say(f"left out, since they cannot be read: {', '.join(dataset.skipped)}")


def absolute(path: Path | str) -> Path:
    return Path(path).expanduser().resolve()


def beside(images: Path, what: str) -> Path:
    """The default folder of a result: ``<images>-<what>`` beside the folder of pictures."""
    return images.with_name(f"{images.name or 'pictures'}-{what}")
