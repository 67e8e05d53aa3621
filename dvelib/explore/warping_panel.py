"""A training pair as sliders make it: two warped views of a face, and where its pixels went."""

from __future__ import annotations

from dataclasses import replace

import ipywidgets as widgets
import torch
from matplotlib.figure import Figure

from dvelib.explore.gallery import Gallery
from dvelib.explore.panel import Panel, Still, picture_html, picture_of, row, slider, status
from dvelib.plots import warp_examples
from dvelib.warps import TRAINING_WARP, WarpDistribution, draw_weights, warp_pair

__all__ = ["WarpPanel"]

NO_WARP = WarpDistribution(0.0, 0.0, 0.0, 0.0, 0.0)
STILLS = {
    "as trained": TRAINING_WARP,
    "control points alone": replace(TRAINING_WARP, translation=0.0, scale=0.0, rotation=0.0),
    "rotation alone": replace(NO_WARP, rotation=15.0),
    "scale alone": replace(NO_WARP, scale=0.3),
    "three times as strong": WarpDistribution(0.003, 0.03, 0.3, 0.3, 15.0),
}


class WarpPanel(Panel):
    """One face under thin-plate splines, drawn anew by a button, scaled by sliders."""

    asks = "How strongly pairs are warped"

    def __init__(self, gallery: Gallery):
        self.faces = gallery.faces
        d = TRAINING_WARP
        self.parts = {
            "control_subset": slider("control points", d.control_subset, 0.0, 0.05, 0.001),
            "rotation": slider("rotation, degrees", d.rotation, 0.0, 45.0, 0.5),
            "scale": slider("scale", d.scale, 0.0, 0.5, 0.01),
            "translation": slider("translation", d.translation, 0.0, 0.5, 0.01),
        }
        self.parts["control_subset"].readout_format = ".3f"
        self.crop = slider("crop, pixels", gallery.crop, 0, gallery.size // 2 - 4)
        self.face = slider("face", 0, 0, len(self.faces) - 1)
        self.draw = slider("draw", 0, 0, 99)
        self.picture, self.said = widgets.HTML(), widgets.HTML()
        controls = [*self.parts.values(), self.crop, self.face, self.draw]
        for asked in controls:
            asked.observe(lambda _: self.refresh(), "value")
        super().__init__([row(controls), self.picture, self.said])
        self.refresh()

    @property
    def distribution(self) -> WarpDistribution:
        """The published one with what the sliders say; the other control weights in proportion."""
        values = {name: part.value for name, part in self.parts.items()}
        share = TRAINING_WARP.control / TRAINING_WARP.control_subset
        return replace(TRAINING_WARP, **values, control=share * values["control_subset"])

    def pair(self, distribution: WarpDistribution) -> tuple[Figure, float]:
        """A drawn pair and how far its pixels moved from view to view, mean in pixels."""
        image = torch.from_numpy(self.faces.images[self.face.value].copy())[None].float()
        generator = torch.Generator().manual_seed(self.draw.value)
        weights = draw_weights(1, distribution, generator)
        pair = warp_pair(image, *weights, self.crop.value)
        moved = pair.flow.norm(dim=3).mean().item()
        return warp_examples(pair.first, pair.second, pair.flow), moved

    def refresh(self) -> None:
        figure, moved = self.pair(self.distribution)
        alt = "Two warped views of a face, and arrows of where its pixels moved."
        self.picture.value = picture_html(figure, alt)
        self.said.value = status(
            f"From the first view to the second, pixels move by {moved:.1f} px on average. "
            "Lengths are in units of half the image's side."
        )

    def stills(self) -> list[Still]:
        stills = []
        for name, distribution in STILLS.items():
            figure, moved = self.pair(distribution)
            alt = f"Two views of a face warped {name}, and arrows between them."
            caption = f"Pixels move by {moved:.1f} pixels on average."
            stills.append(Still(name, picture_of(figure), alt, caption))
        return stills
