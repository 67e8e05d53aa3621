"""Specifications, the folders of finished trainings, and the weights of others and our own.

Names from here are imported where they are first asked for, so that reading a specification does
not import PyTorch.
"""

from dvelib.common.lazy import lazy_names

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

__getattr__ = lazy_names(__name__, _PLACES)
