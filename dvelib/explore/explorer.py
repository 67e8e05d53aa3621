"""The explorer: a gallery and the panels that ``notebooks/explore.ipynb`` shows."""

from __future__ import annotations

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


class Explorer(Gallery):
    """A gallery with one method per panel."""

    def matches(self, count: int = 8) -> Panel:
        """Matches of a clicked point; see `dvelib.explore.matches_panel`."""
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
