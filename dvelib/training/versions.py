"""Versions of the methods of training, which are a part of every training's name.

A version is raised when the numbers of a training change, and only then: moving, renaming or
documenting code leaves it as it is. `dvelib.training.fingerprints` compares the numbers with
recorded ones, and ``tests/training/test_fingerprints.py`` fails when they have moved.
"""

__all__ = ["METHOD_VERSIONS"]

METHOD_VERSIONS = {
    "embedding": 1,  # warps, photometric noise, networks, losses, optimizer
    "regressor": 1,  # landmark regressors, and the descriptors that they read
    "few annotations": 1,  # which images are annotated, and their warped copies
}
