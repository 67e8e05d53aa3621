"""The method on pictures of one's own, faces or not: embed, annotate, regress, predict."""

from dvelib.common.lazy import lazy_names

_PLACES = {"Predictor": "predictor", "load_predictor": "predictor"}
__all__ = list(_PLACES)
__getattr__ = lazy_names(__name__, _PLACES)
