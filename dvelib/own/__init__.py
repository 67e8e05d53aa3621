"""The method on pictures of one's own, faces or not: embed, annotate, regress, predict."""

from importlib import import_module

__all__ = ["Predictor", "load_predictor"]


def __getattr__(name: str) -> object:
    # PyTorch takes seconds to import, and the command line only needs the options from here.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("dvelib.own.predictor"), name)
