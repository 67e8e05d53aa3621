"""Specifications, the folders of finished trainings, and the weights of others and our own.

Names from here are imported where they are first asked for, so that reading a specification does
not import PyTorch.
"""

from importlib import import_module

_PLACES = {
    "EmbeddingSpec": "specifications",
    "RegressorSpec": "specifications",
    "Embedding": "storage",
    "TrainedRegressor": "storage",
    "load_embedding": "storage",
    "load_regressor": "storage",
    "load_pretrained": "pretrained",
    "load_published": "authors_files",
}
__all__ = list(_PLACES)


def __getattr__(name: str) -> object:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)
