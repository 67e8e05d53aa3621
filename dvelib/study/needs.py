"""What a job of a study needs: threads, GPUs, memory and time, from the specifications alone.

The Snakefile gives these numbers to Snakemake, under its standard names, and Snakemake to whatever
runs the jobs: this machine, Slurm, Kubernetes. Memory and time are upper estimates. A job that
exceeds them is started again with more, and a training goes on from its last checkpoint.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

from dvelib.checkpoints.specifications import DataSpec, EmbeddingSpec
from dvelib.study.hours import image_count, training_steps
from dvelib.study.plan import Study

__all__ = ["Needs", "embedding_needs", "page_needs", "regressors_needs", "table_needs"]

# Python, PyTorch and a notebook's kernel; with the libraries of a GPU.
BASE_MB, BASE_GPU_MB = 2000, 5000
# What a training keeps for each pixel of a pair of views, in kilobytes.
PAIR_KILOBYTES = {"smallnet": 8, "hourglass": 48}
# Pixels of pairs that are learned in a second: half of what was measured on one thread of a
# server's processor without bfloat16. The factor of a GPU is a low guess, not measured.
PAIR_PIXELS = {"smallnet": 25_000, "hourglass": 3_000}
GPU_TO_THREAD = 40
# The same for faces from which a regressor learns, all landmarks together.
FACE_PIXELS = 100_000
# A describer on one thread, and an image that is described, matched or drawn on a page: seconds.
IMAGE_SECONDS = {"matching": 0.1, "landmarks": 0.1, "learning curve": 0.1, "describers": 2.0}
START_MINUTES = 10

_count = cache(image_count)  # reads lists of files


@dataclass(frozen=True)
class Needs:
    """Threads, GPUs, main memory in MB and minutes of one job on one machine."""

    threads: int
    gpus: int
    megabytes: int
    minutes: int

    def on_attempt(self, attempt: int) -> Needs:
        """The same for the first, second ... attempt: each gets more memory and time."""
        more = {"megabytes": attempt * self.megabytes, "minutes": attempt * self.minutes}
        return replace(self, **more)


def embedding_needs(study: Study, name: str, gpus: int = 0, machines: int = 1) -> Needs:
    """What training an embedding needs on each of ``machines``, by ``gpus`` GPUs on each."""
    spec, threads = study.embeddings[name], study.profile.threads
    steps, _ = training_steps(study, spec)
    rate = PAIR_PIXELS[spec.architecture] * _speed(threads, gpus) * machines
    seconds = steps * spec.batch * _side(spec) ** 2 / rate
    megabytes = 2 * _image_megabytes(study, spec.data, "train", spec)
    if not gpus:
        megabytes += spec.batch * _side(spec) ** 2 * PAIR_KILOBYTES[spec.architecture] / 1e3
    return _needs(megabytes, seconds, threads, gpus)


def regressors_needs(study: Study, names: list[str], gpus: int = 0) -> Needs:
    """What learning landmarks needs: all of these regressors, one after the other."""
    threads, seconds, megabytes = study.profile.threads, 0.0, 0.0
    for spec in map(study.regressors.__getitem__, names):
        embedding = study.embeddings[spec.embedding]
        faces = _count(spec.data.of("train"), "train", study.data_root) or 0
        pixels = spec.epochs * faces * _side(embedding) ** 2
        seconds += pixels / (FACE_PIXELS * _speed(threads, gpus))
        images = [
            _image_megabytes(study, spec.data.of(split), split, embedding)
            for split in ("train", "test")
        ]
        # Descriptors are kept beside the images: so many times as large.
        larger = 1 + embedding.dimension / 3
        megabytes = max(megabytes, sum(images) * larger + 50 * spec.batch)
    return _needs(megabytes, seconds, threads, gpus)


def table_needs(study: Study, table: str, gpus: int = 0) -> Needs:
    """What executing the notebook of a table needs. Only one that trains itself uses a GPU."""
    spec, rows = study.tables[table], [row for row in study.rows[table] if row.embeddings]
    embeddings = [study.embeddings[name] for row in rows for name in row.embeddings]
    data = study.profile.matching.data
    if spec.benchmark is not None:
        data = study.profile.benchmarks[spec.benchmark].data.of("test")
    images = _count(data, "test", study.data_root) or 0
    seconds = images * len(embeddings) * IMAGE_SECONDS[spec.measures]
    megabytes = 2 * max(_image_megabytes(study, data, "test", e) for e in embeddings)
    gpus = min(gpus, 1) if spec.measures == "describers" else 0
    return _needs(megabytes, seconds, study.profile.threads, gpus)


def page_needs(study: Study) -> Needs:
    """What executing the notebook of an embedding, or the explorer's, needs."""
    return _needs(0, 0, study.profile.threads, 0)


def _needs(megabytes: float, seconds: float, threads: int, gpus: int) -> Needs:
    base = BASE_GPU_MB if gpus else BASE_MB
    # Whole hundreds are easier to read in a queue.
    memory = 100 * round((base * max(1, gpus) + megabytes) / 100)
    return Needs(max(threads, gpus), gpus, memory, START_MINUTES + round(2 * seconds / 60))


def _speed(threads: int, gpus: int) -> int:
    """So many times as fast as one thread."""
    return GPU_TO_THREAD * gpus or threads


def _side(spec: EmbeddingSpec) -> int:
    return spec.size - 2 * spec.crop


def _image_megabytes(study: Study, data: DataSpec, split: str, spec: EmbeddingSpec) -> float:
    """Memory of a split's decoded images."""
    return (_count(data, split, study.data_root) or 0) * 3 * spec.size**2 / 1e6
