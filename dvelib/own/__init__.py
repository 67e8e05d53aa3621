"""The method on pictures of one's own, faces or not: embed, annotate, regress, predict."""

from dvelib.own.predictor import Predictor, load_predictor

__all__ = ["Predictor", "load_predictor"]
