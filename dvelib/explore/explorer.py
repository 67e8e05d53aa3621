"""The explorer: a gallery and the panels that ``notebooks/explore.ipynb`` shows."""

from __future__ import annotations

from IPython.display import Markdown, display

from dvelib.explore.gallery import Gallery
from dvelib.explore.landmarks_panel import ErrorPanel, KeypointPanel
from dvelib.explore.matches_panel import MatchPanel
from dvelib.explore.panel import Message, Panel
from dvelib.explore.training_panel import TrainingPanel
from dvelib.explore.warping_panel import WarpPanel

__all__ = ["Explorer"]

NO_REGRESSOR = (
    "No landmark regressor matches these embeddings and faces. `make study` trains regressors; "
    "`dve regress labels` trains one on your own landmarks, which the parameter `regressor` opens."
)
NO_LANDMARKS = "No errors: these pictures have no landmarks. Set some with `dve annotate`."
WARPS = """## What the network learns from

Training uses no labels. It uses two warped views of one picture and the known warp between them,
shown by the arrows. With exchange, the match from the first to the second view must also be correct
after each descriptor is rebuilt from those of another face."""
KEYPOINTS = """## From descriptors to landmarks

A regressor, trained on annotated faces, predicts a landmark as a weighted sum of virtual keypoints.
A virtual keypoint is the expected position of the response of one filter on the descriptors. Many
virtual keypoints lie far from the landmark."""
ERRORS = """## Landmark errors by face

Each dot is a face. Click on a dot to see the face."""
TRAINING = """## Train an embedding

Training takes minutes. After so few steps the embedding without exchange has lower errors; exchange
overtakes it after about ten thousand pairs. An embedding that is stopped goes on from there when it
is trained again."""


class Explorer(Gallery):
    """A gallery with one method per panel."""

    def show(self, count: int = 6) -> None:
        """Display all panels: the faces with their matches first, the others below."""
        display(self.matches(count))
        below = {
            WARPS: self.warps,
            KEYPOINTS: self.keypoints,
            ERRORS: self.errors,
            TRAINING: self.training,
        }
        for text, panel in below.items():
            display(Markdown(text))
            display(panel())

    def matches(self, count: int = 6) -> MatchPanel:
        """Matches of the point under the pointer; see `dvelib.explore.matches_panel`."""
        return MatchPanel(self, count)

    def warps(self) -> Panel:
        """A training pair with sliders; see `dvelib.explore.warping_panel`."""
        return WarpPanel(self)

    def keypoints(self, count: int = 8) -> Panel:
        """The virtual keypoints of a landmark; see `dvelib.explore.landmarks_panel`."""
        return KeypointPanel(self, count) if self.regressors else Message(NO_REGRESSOR)

    def errors(self) -> Panel:
        """A landmark's error on every face; see `dvelib.explore.landmarks_panel`."""
        if not self.landmarks:
            return Message(NO_LANDMARKS)
        return ErrorPanel(self) if self.regressors else Message(NO_REGRESSOR)

    def training(self) -> Panel:
        """A button that trains a small embedding; see `dvelib.explore.training_panel`."""
        return TrainingPanel(self)
