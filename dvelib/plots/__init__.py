"""The figures of the study: functions from arrays to a matplotlib Figure.

Convention: images are ``[...,3,S,S]`` in 0..255; points are (x, y) in pixels of the image they are
drawn on. Functions touch no files, display nothing and change no global style. Each ValueError
names the argument and the expected shape. Colours are distinguishable for colour-blind readers
(seaborn's "colorblind"), and no information is carried by colour alone.
"""

from dvelib.plots.charts import (
    cumulative_error,
    error_bars,
    error_by_count,
    error_by_labels,
    learning_curves,
    loss_curves,
)
from dvelib.plots.face_maps import face_maps
from dvelib.plots.images import descriptor_maps, faces_grid, matches, warp_examples
from dvelib.plots.landmark_charts import error_per_landmark
from dvelib.plots.landmark_pictures import predicted_landmarks, virtual_keypoints
from dvelib.plots.speed import ending_dots, growth_lines, ratio_bars
from dvelib.plots.summary import paper_and_ours

__all__ = [
    "cumulative_error",
    "descriptor_maps",
    "ending_dots",
    "error_bars",
    "error_by_count",
    "error_by_labels",
    "error_per_landmark",
    "face_maps",
    "faces_grid",
    "growth_lines",
    "learning_curves",
    "loss_curves",
    "matches",
    "paper_and_ours",
    "predicted_landmarks",
    "ratio_bars",
    "virtual_keypoints",
    "warp_examples",
]
